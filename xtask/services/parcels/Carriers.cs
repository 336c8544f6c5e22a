using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;

namespace Parcels.Carriers;

public sealed class CarrierOptions
{
    public Uri BaseAddress { get; set; } = new("http://127.0.0.1:5999");
}

/// <summary>The carrier's HTTP interface, by a client of the factory.</summary>
public sealed class CarrierClient
{
    private readonly HttpClient _http;

    public CarrierClient(HttpClient http, IOptions<CarrierOptions> options)
    {
        http.BaseAddress = options.Value.BaseAddress;
        _http = http;
    }

    public async Task<decimal> PriceAsync(int zone, CancellationToken stop)
    {
        string body = await _http.GetStringAsync($"/delay/2?zone={zone}", stop);
        return body.Length + zone * 0.35m;
    }
}

/// <summary>The customs office speaks a line protocol over sockets that block.</summary>
public sealed class CustomsGateway(IOptions<CarrierOptions> options)
{
    private readonly ConcurrentBag<Socket> _idle = [];

    public string Declare(int parcel)
    {
        var socket = _idle.TryTake(out var used) ? used : Connect();
        string reply = Exchange(socket, $"GET /delay/80?parcel={parcel} HTTP/1.1\r\nHost: customs\r\n\r\n");
        _idle.Add(socket);
        return reply;
    }

    private Socket Connect()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        socket.Connect(options.Value.BaseAddress.Host, options.Value.BaseAddress.Port);
        return socket;
    }

    private static string Exchange(Socket socket, string request)
    {
        socket.Send(Encoding.ASCII.GetBytes(request));
        var reply = new byte[2048];
        int read = socket.Receive(reply);
        return Encoding.ASCII.GetString(reply, 0, read).Split("\r\n")[0];
    }
}

[ApiController, Route("rates")]
public sealed class RatesController(CarrierClient carrier) : ControllerBase
{
    [HttpGet("{zone:int}")]
    public async Task<IActionResult> Get(int zone, CancellationToken stop) =>
        Ok(new { zone, price = await carrier.PriceAsync(zone, stop) });
}

[ApiController, Route("customs")]
public sealed class CustomsController(CustomsGateway customs) : ControllerBase
{
    [HttpGet("{parcel:int}/declare")]
    public IActionResult Declare(int parcel) => Ok(new { parcel, status = customs.Declare(parcel) });
}
