using System.Linq.Expressions;
using System.Runtime.InteropServices;
using System.Text;

namespace Acme.Billing.Reports;

/// <summary>A month as CSV, put together in memory.</summary>
internal static class CsvExport
{
    public static object Length(int month)
    {
        using var memory = new MemoryStream();
        WriteRows(memory, month);
        byte[] file = memory.ToArray();
        return new { month, file.Length, sum = file[^2] };
    }

    private static void WriteRows(Stream target, int month)
    {
        Span<byte> row = stackalloc byte[64];
        for (int n = 0; n < 16_000; n++)
        {
            row.Fill((byte)('0' + (n + month) % 10));
            row[63] = (byte)'\n';
            target.Write(row);
        }
    }
}

internal sealed record Customer(int Id, string Name, string City, string[] Tags);

/// <summary>Finds customers by projections of projections.</summary>
internal static class CustomerSearch
{
    private static readonly Customer[] All = Enumerable.Range(0, 4000)
        .Select(id => new Customer(id, $"Customer Number {id}", $"City {id % 90}", [$"tag{id % 7}", $"tag{id % 11}"])).ToArray();

    public static object Find(int seed)
    {
        string[] words = Words($"customer {seed % 10} city {seed % 90} tag{seed % 7}");
        var best = Candidates(words).OrderByDescending(found => found.Score).ThenBy(found => found.Customer.Name).Take(10);
        return new { seed, found = best.Select(found => found.Customer.Id).ToArray() };
    }

    private static IEnumerable<(Customer Customer, int Score)> Candidates(string[] words) =>
        from customer in All
        let text = Text(customer)
        let score = Words(text).Count(word => words.Any(wanted => word.StartsWith(wanted, StringComparison.Ordinal)))
        where score > 0
        select (customer, score);

    private static string Text(Customer customer) =>
        string.Join(' ', customer.Tags.Select(tag => tag.ToUpperInvariant()).Prepend(customer.City).Prepend(customer.Name));

    private static string[] Words(string text) => text.ToLowerInvariant().Split(' ');
}

/// <summary>Discounts are formulas, compiled when they are needed.</summary>
internal static class DiscountRules
{
    public static object Evaluate(int customer)
    {
        var rule = Build(customer % 17);
        return new { customer, discount = rule(customer) };
    }

    private static Func<int, double> Build(int level)
    {
        var customer = Expression.Parameter(typeof(int), "customer");
        var body = Expression.Divide(
            Expression.Multiply(Expression.Convert(customer, typeof(double)), Expression.Constant(level * 0.1)),
            Expression.Add(Expression.Constant(1.0), Expression.Convert(customer, typeof(double))));
        return Compile(Expression.Lambda<Func<int, double>>(body, customer));
    }

    private static Func<int, double> Compile(Expression<Func<int, double>> rule) => rule.Compile();
}

/// <summary>Pictures of statements in native memory, as the codec wants it.</summary>
internal static class Thumbnails
{
    private const int Bytes = 96 * 1024;

    public static object Make(int statement)
    {
        nint picture = Decode(statement);
        return new { statement, first = Marshal.ReadByte(picture) };
    }

    private static unsafe nint Decode(int statement)
    {
        nint picture = Marshal.AllocHGlobal(Bytes);
        new Span<byte>((void*)picture, Bytes).Fill((byte)statement);
        return picture;
    }
}

/// <summary>How much a payment looks like fraud, by comparing it with all patterns.</summary>
internal static class FraudScore
{
    private static readonly double[] Patterns = Enumerable.Range(0, 300_000).Select(n => Math.Sin(n) * 100).ToArray();

    public static object Of(int payment) => new { payment, score = Score(payment) };

    private static double Score(int payment)
    {
        double worst = 0;
        for (int feature = 0; feature < 12; feature++) worst = Math.Max(worst, Nearest(payment * 0.37 + feature));
        return worst;
    }

    private static double Nearest(double value)
    {
        double nearest = double.MaxValue;
        foreach (double pattern in Patterns) nearest = Math.Min(nearest, Math.Abs(pattern - value % 100));
        return nearest;
    }
}

/// <summary>Statements as text for the archive. The archive's tape takes them one after another.</summary>
internal static class StatementArchive
{
    private static readonly SemaphoreSlim Tape = new(2, 2);

    public static object Store(int account)
    {
        string text = Render(account);
        Tape.Wait();
        try { return new { account, Written = Write(text) }; }
        finally { Tape.Release(); }
    }

    private static string Render(int account)
    {
        var text = new StringBuilder();
        for (int line = 0; line < 6000; line++) text.Append("account ").Append(account).Append(" line ").Append(line).Append(";\n");
        return text.ToString();
    }

    private static int Write(string text)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text);
        Thread.Sleep(4);
        return bytes.Length;
    }
}
