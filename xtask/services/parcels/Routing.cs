using Microsoft.AspNetCore.Mvc;

namespace Parcels.Routing;

/// <summary>Distances between all depots. Readers share it; a change computes it anew while everybody else waits.</summary>
public sealed class RouteBook
{
    private const int Depots = 110;
    private readonly ReaderWriterLockSlim _guard = new();
    private readonly int[,] _legs = new int[Depots, Depots];
    private int[,] _best = new int[Depots, Depots];

    public RouteBook()
    {
        for (int from = 0; from < Depots; from++)
            for (int to = 0; to < Depots; to++)
                _legs[from, to] = 1 + (from * 31 + to * 17) % 97;
        _best = ShortestPaths();
    }

    public int Distance(int from, int to)
    {
        _guard.EnterReadLock();
        try { return _best[from % Depots, to % Depots]; }
        finally { _guard.ExitReadLock(); }
    }

    public int Reroute(int depot, int delay)
    {
        _guard.EnterWriteLock();
        try
        {
            _legs[depot % Depots, (depot * 7 + 1) % Depots] = 1 + delay;
            _best = ShortestPaths();
            return _best[0, depot % Depots];
        }
        finally { _guard.ExitWriteLock(); }
    }

    private int[,] ShortestPaths()
    {
        var best = (int[,])_legs.Clone();
        for (int via = 0; via < Depots; via++)
            for (int from = 0; from < Depots; from++)
                RelaxRow(best, via, from);
        return best;
    }

    private static void RelaxRow(int[,] best, int via, int from)
    {
        int start = best[from, via];
        for (int to = 0; to < Depots; to++)
            best[from, to] = Math.Min(best[from, to], start + best[via, to]);
    }
}

[ApiController, Route("routes")]
public sealed class RoutesController(RouteBook book) : ControllerBase
{
    [HttpGet("{depot:int}")]
    public IActionResult Get(int depot) => Ok(new { depot, distance = book.Distance(depot, depot + 13) });

    [HttpGet("{depot:int}/reroute")]
    public IActionResult Reroute(int depot) => Ok(new { depot, distance = book.Reroute(depot, depot % 50) });
}
