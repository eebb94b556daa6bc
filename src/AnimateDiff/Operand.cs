namespace AnimateDiff;

/// <summary>A tensor in a formula: its operators are those of tensors, by way of <see cref="Scalars"/>.</summary>
internal sealed class Operand(Tensor tensor)
{
    public Tensor Tensor { get; } = tensor;

    public static implicit operator Operand(Tensor tensor) => new(tensor);

    public static implicit operator Tensor(Operand operand) => operand.Tensor;

    public static Operand operator +(Operand x, Operand y) => x.Tensor.Add(y.Tensor);

    public static Operand operator -(Operand x, Operand y) => x.Tensor - y.Tensor;

    public static Operand operator *(double number, Operand x) => x.Tensor.Times(number);

    public static Operand operator /(Operand x, double number) => x.Tensor.Over(number);
}
