using Microsoft.AspNetCore.Mvc;

namespace Parcels.Tracking;

public sealed record ScanView(DateTime At, string Depot, string Status, string? Note);

public sealed record ParcelView(int Id, string Tracking, string Recipient, decimal WeightKg, IReadOnlyList<ScanView> Scans);

/// <summary>All parcels of the day, built once at the start.</summary>
public sealed class ParcelCatalogue
{
    private readonly Dictionary<int, ParcelView> _parcels = Enumerable.Range(0, 1000).ToDictionary(id => id, Build);

    public ParcelView? Find(int id) => _parcels.GetValueOrDefault(id);

    private static ParcelView Build(int id)
    {
        var scans = Enumerable.Range(0, 12).Select(step => new ScanView(
            new DateTime(2026, 3, 1, 6, 0, 0, DateTimeKind.Utc).AddHours(step),
            $"depot-{(id + step) % 40}", step == 11 ? "delivered" : "in transit", step % 5 == 0 ? "re-labelled" : null));
        return new ParcelView(id, $"PX{id:D9}DE", $"recipient {id}", 0.4m + id % 30, scans.ToList());
    }
}

/// <summary>Manifests as files. A manifest that was looked at stays open for the next reader.</summary>
public sealed class ManifestArchive
{
    private readonly string _folder = Directory.CreateDirectory(
        Path.Combine(Environment.GetEnvironmentVariable("PARCELS_DATA") ?? Path.GetTempPath(), "manifests")).FullName;
    private readonly List<FileStream> _open = [];

    public int FirstByte(int id)
    {
        var stream = OpenForReading(PathOf(id));
        return stream.ReadByte();
    }

    private string PathOf(int id)
    {
        string path = Path.Combine(_folder, $"{id % 50}.txt");
        if (!File.Exists(path)) File.WriteAllText(path, $"manifest {id % 50}\n");
        return path;
    }

    private FileStream OpenForReading(string path)
    {
        var stream = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        lock (_open) _open.Add(stream);
        return stream;
    }
}

[ApiController, Route("parcels")]
public sealed class ParcelsController(ParcelCatalogue catalogue) : ControllerBase
{
    [HttpGet("{id:int}")]
    public ActionResult<ParcelView> Get(int id) => catalogue.Find(id) is { } parcel ? parcel : NotFound();
}

[ApiController, Route("manifests")]
public sealed class ManifestsController(ManifestArchive archive) : ControllerBase
{
    [HttpGet("{id:int}")]
    public IActionResult Get(int id) => Ok(new { id, first = archive.FirstByte(id) });
}
