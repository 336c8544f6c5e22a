namespace Acme.Billing.Operations;

/// <summary>The bank, by one client for all.</summary>
internal sealed class Bank(Uri address)
{
    private readonly HttpClient _http = new() { BaseAddress = address };

    public Uri Address => address;

    public static Bank FromEnvironment() => new(new Uri(Environment.GetEnvironmentVariable("BANK_URL") ?? "http://127.0.0.1:5999"));

    public async Task<decimal> RateAsync(int currency, CancellationToken stop) =>
        Parse(await _http.GetStringAsync($"/delay/150?currency={currency}", stop));

    public async Task<decimal> LineAsync(int line, CancellationToken stop) =>
        Parse(await _http.GetStringAsync($"/delay/2?line={line}", stop));

    public async Task<decimal> CaptureAsync(int payment) =>
        Parse(await _http.GetStringAsync($"/delay/120?payment={payment}"));

    private static decimal Parse(string body) => body.Length * 1.01m;
}

internal static class Payments
{
    /// <summary>The ledger's interface is synchronous, so the bank's answer is waited for.</summary>
    public static object Capture(Bank bank, int payment) => new { payment, amount = Settle(bank, payment) };

    private static decimal Settle(Bank bank, int payment)
    {
        var pending = bank.CaptureAsync(payment);
        return pending.Result * 1.0m;
    }
}

internal static class Invoices
{
    public static async Task<object> TotalAsync(Bank bank, int invoice, CancellationToken stop)
    {
        decimal total = 0;
        await foreach (decimal line in LinesAsync(bank, invoice, stop)) total += line;
        return new { invoice, total };
    }

    private static async IAsyncEnumerable<decimal> LinesAsync(
        Bank bank, int invoice, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken stop)
    {
        for (int line = 0; line < 25; line++) yield return await bank.LineAsync(invoice + line, stop);
    }
}

internal static class TaxOffice
{
    public static async Task<object> AskAsync(Bank bank, int account, CancellationToken stop)
    {
        using var client = new HttpClient { BaseAddress = bank.Address, Timeout = TimeSpan.FromSeconds(10) };
        string body = await client.GetStringAsync($"/delay/1?account={account}", stop);
        return new { account, tax = body.Length };
    }
}
