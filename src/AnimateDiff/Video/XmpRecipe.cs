using System.Text;
using System.Xml;
using System.Xml.Linq;

namespace AnimateDiff.Video;

/// <summary>A recipe as a property of an XMP packet (ISO 16684-1), the metadata that WebP has and that common tools show.</summary>
internal static class XmpRecipe
{
    private static readonly XNamespace Meta = "adobe:ns:meta/", Rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#", Ours = "urn:animatediff:1.0";

    public static byte[] ToPacket(string recipe)
    {
        var meta = new XElement(Meta + "xmpmeta", new XAttribute(XNamespace.Xmlns + "x", Meta),
            new XElement(Rdf + "RDF", new XAttribute(XNamespace.Xmlns + "rdf", Rdf),
                new XElement(Rdf + "Description", new XAttribute(Rdf + "about", ""), new XAttribute(XNamespace.Xmlns + "animatediff", Ours),
                    new XElement(Ours + "recipe", recipe))));
        var packet = new StringBuilder("<?xpacket begin=\"\uFEFF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>");
        // Entitize: a carriage return written as itself would be read back as a line feed.
        var settings = new XmlWriterSettings { OmitXmlDeclaration = true, NewLineHandling = NewLineHandling.Entitize, CheckCharacters = false };
        using (var writer = XmlWriter.Create(packet, settings))
            meta.WriteTo(writer);
        return Encoding.UTF8.GetBytes(packet.Append("<?xpacket end=\"r\"?>").ToString());
    }

    /// <summary>The recipe of a packet, or null when it has none.</summary>
    /// <exception cref="XmlException">The packet is no XML.</exception>
    public static string? FromPacket(byte[] packet)
    {
        var settings = new XmlReaderSettings { CheckCharacters = false, DtdProcessing = DtdProcessing.Prohibit };
        using var reader = XmlReader.Create(new MemoryStream(packet), settings);
        return XDocument.Load(reader, LoadOptions.PreserveWhitespace).Descendants(Ours + "recipe").FirstOrDefault()?.Value;
    }
}
