using Microsoft.AspNetCore.Mvc;

namespace Parcels.Depots;

public sealed record Shelf(string Code, string Contents, decimal Value);

/// <summary>What is in a depot. Snapshots are made under the board's lock, and the last few are kept for the auditors.</summary>
public sealed class DepotBoard
{
    private const int Kept = 60;
    private readonly object _sync = new();
    private readonly Queue<List<Shelf>> _snapshots = new();

    public decimal ValueOf(int depot)
    {
        lock (_sync)
        {
            var snapshot = TakeSnapshot(depot);
            _snapshots.Enqueue(snapshot);
            if (_snapshots.Count > Kept) _snapshots.Dequeue();
            return snapshot.Sum(shelf => shelf.Value);
        }
    }

    private static List<Shelf> TakeSnapshot(int depot)
    {
        var shelves = new List<Shelf>();
        for (int row = 0; row < 5000; row++) shelves.Add(Describe(depot, row));
        return shelves;
    }

    private static Shelf Describe(int depot, int row) =>
        new($"D{depot}-{row / 50}-{row % 50}", $"{row * 3 % 17} parcels, {row % 5} pallets", row * 0.25m);
}

[ApiController, Route("depots")]
public sealed class DepotsController(DepotBoard board) : ControllerBase
{
    [HttpGet("{depot:int}/value")]
    public IActionResult Value(int depot) => Ok(new { depot, value = board.ValueOf(depot) });
}
