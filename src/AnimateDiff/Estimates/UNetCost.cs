using AnimateDiff.Denoising;

namespace AnimateDiff.Estimates;

/// <summary>What a call of a network costs for each image in it.</summary>
/// <param name="Flops">Floating-point operations, a multiplication and an addition being two.</param>
/// <param name="Elements">Elements of activations that are held at once at the widest place.</param>
/// <param name="Skips">Elements of the outputs of the way down.</param>
/// <param name="OuterFlops">Floating-point operations where only the outermost layers run.</param>
/// <param name="Kept">Elements that are kept for such a call.</param>
internal readonly record struct CallCost(double Flops, double Elements, double Skips, double OuterFlops = 0, double Kept = 0);

/// <summary>What a UNet costs, followed through its levels as <see cref="UNetMotionModel"/> runs them.</summary>
internal static class UNetCost
{
    // Tensors of a layer's size at its widest: the image, tokens, normalised tokens, queries, keys, values, what is attended to and what becomes of it.
    private const double InLayer = 8;

    // The same where each image attends to the keys and values of two others, which are gathered.
    private const double InFrameLayer = InLayer + 4;

    // The same where layers run in pieces: what goes in, what comes out, and the tokens of a motion module.
    private const double InPieces = 3;

    private const double TextLength = 77;

    /// <summary>The cost for one image.</summary>
    /// <param name="unet">Shape of the image layers.</param>
    /// <param name="motion">Shape of the motion modules, or null.</param>
    /// <param name="height">h of the latents.</param>
    /// <param name="width">w of the latents.</param>
    /// <param name="frames">Frames that see each other.</param>
    /// <param name="inPieces">Whether layers run in pieces; what a piece takes comes on top.</param>
    /// <param name="outer">Outputs of the way down that are computed where only the outermost layers run (<see cref="DeepFeatures"/>); 0 for none.</param>
    public static CallCost Of(UNetConfig unet, MotionConfig? motion, int height, int width, int frames, bool inPieces, int outer = 0)
    {
        var walk = unet.TemporalAttention ? new Walk(frames, InFrameLayer, inPieces: false, outer, frameAttention: true)
            : new Walk(motion is null ? 0 : frames, inPieces ? InPieces : InLayer, inPieces, outer);
        var channels = unet.BlockOutChannels;
        var last = channels.Count - 1;
        double[] places = [.. Enumerable.Range(0, channels.Count).Select(level => Math.Ceiling(height / Math.Pow(2, level)) * Math.Ceiling(width / Math.Pow(2, level)))];
        bool Attends(string type) => type.StartsWith("CrossAttn", StringComparison.Ordinal);

        walk.Convolve(unet.InChannels, channels[0], places[0]);
        walk.Skip(channels[0], places[0]);
        for (var i = 0; i <= last; i++)
        {
            for (var layer = 0; layer < unet.LayersPerBlock; layer++)
            {
                walk.Layer(layer == 0 ? channels[Math.Max(0, i - 1)] : channels[i], 0, channels[i], places[i], Attends(unet.DownBlockTypes[i]), motion is not null);
                walk.Skip(channels[i], places[i]);
            }
            if (i < last)
            {
                walk.Convolve(channels[i], channels[i], places[i + 1]);
                walk.Skip(channels[i], places[i + 1]);
            }
        }
        var skips = walk.Held;
        walk.Layer(channels[last], 0, channels[last], places[last], true, motion is { UseMotionMidBlock: true });
        walk.Layer(channels[last], 0, channels[last], places[last], false, false);
        for (var i = last; i >= 0; i--)
        {
            for (var layer = 0; layer <= unet.LayersPerBlock; layer++)
            {
                var below = layer == 0 ? channels[Math.Min(last, i + 1)] : channels[i];
                walk.Layer(below, walk.TakeSkip(places[i], below), channels[i], places[i], Attends(unet.UpBlockTypes[last - i]), motion is not null);
            }
            if (i > 0)
                walk.Convolve(channels[i], channels[i], places[i - 1]);
        }
        walk.Convolve(channels[0], unet.OutChannels, places[0]);
        return new CallCost(2 * walk.Products, walk.Most, skips, 2 * (walk.Products - walk.Inner), walk.Kept);
    }

    private sealed class Walk(int frames, double inLayer, bool inPieces, int outer, bool frameAttention = false)
    {
        private readonly Stack<double> _skips = new();

        public double Products { get; private set; }

        /// <summary>Products of the layers between the outer outputs of the way down and where they are taken up.</summary>
        public double Inner { get; private set; }

        /// <summary>Elements that come up to there.</summary>
        public double Kept { get; private set; }

        public double Most { get; private set; }

        /// <summary>Elements of the skips that wait.</summary>
        public double Held { get; private set; }

        public void Skip(double channels, double places)
        {
            _skips.Push(channels * places);
            Held += channels * places;
            if (_skips.Count == outer)
                Inner = -Products;
        }

        /// <summary>Channels of the skip that is taken up; it goes once it is joined.</summary>
        /// <param name="places">Places of the level.</param>
        /// <param name="below">Channels of what comes from below.</param>
        public double TakeSkip(double places, double below)
        {
            if (_skips.Count == outer)
                (Inner, Kept) = (Inner + Products, below * places);
            Held -= _skips.Peek();
            return _skips.Pop() / places;
        }

        public void Convolve(double inputs, double outputs, double places)
        {
            Products += 9 * inputs * outputs * places;
            Hold((inputs + outputs) * places);
        }

        /// <summary>A resnet of images and a skip, with attention and motion after it.</summary>
        public void Layer(double inputs, double skip, double outputs, double places, bool attends, bool moves)
        {
            var joined = inputs + skip;
            Products += 9 * (joined + outputs) * outputs * places + (joined == outputs ? 0 : joined * outputs * places);
            // In pieces the images, the skip and the result are whole; otherwise joined they are there twice, with and without normalisation.
            Hold((inPieces ? joined + outputs : 2 * joined + outputs) * places);
            if (attends)
                Products += (20 * outputs + 2 * places + 2 * TextLength) * outputs * places;
            if (attends && frameAttention)
                Products += (4 * outputs + 2 * frames + 2 * places) * outputs * places;
            if (moves)
                Products += (22 * outputs + 4 * frames) * outputs * places;
            if (attends || moves)
                Hold(inLayer * outputs * places);
        }

        private void Hold(double elements) => Most = Math.Max(Most, Held + elements);
    }
}
