using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Mvc;

namespace Parcels.Webhooks;

public sealed class DeliveryRejectedException(string message) : Exception(message);

public sealed record DeadLetter(int Customer, string Reason, byte[] Payload);

/// <summary>Sends events to customers. What a customer refuses is kept, so that somebody can look at it some day.</summary>
public sealed class WebhookDispatcher
{
    private readonly ConcurrentQueue<DeadLetter> _deadLetters = new();

    public string Deliver(int customer)
    {
        byte[] payload = Serialize(customer);
        for (int attempt = 0; attempt < 4; attempt++)
        {
            try { return Send(customer, attempt, payload); }
            catch (DeliveryRejectedException refused) when (attempt == 3) { Bury(customer, refused, payload); }
            catch (DeliveryRejectedException) { /* once more */ }
        }
        return "refused";
    }

    private static byte[] Serialize(int customer) => Encoding.UTF8.GetBytes(new string((char)('a' + customer % 26), 8_000));

    private static string Send(int customer, int attempt, byte[] payload)
    {
        Sign(customer, payload);
        return attempt > 3 ? "sent" : "sent at once";
    }

    private static void Sign(int customer, byte[] payload)
    {
        if (payload.Length > customer) throw new DeliveryRejectedException($"customer {customer} has no key");
    }

    private void Bury(int customer, Exception reason, byte[] payload) =>
        _deadLetters.Enqueue(new DeadLetter(customer, reason.Message, payload));
}

[ApiController, Route("webhooks")]
public sealed class WebhooksController(WebhookDispatcher dispatcher) : ControllerBase
{
    [HttpGet("{customer:int}/deliver")]
    public IActionResult Deliver(int customer) => Ok(new { customer, result = dispatcher.Deliver(customer) });
}
