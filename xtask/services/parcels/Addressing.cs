using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Mvc;

namespace Parcels.Addressing;

/// <summary>An address is words, a comma and a postcode.</summary>
public sealed class AddressChecker
{
    private static readonly Regex Address = new(@"^([A-Za-z]+\s?)+,\s*\d{5}$");

    public bool IsComplete(string street) => LooksRight(street.Trim());

    private static bool LooksRight(string text) => Address.IsMatch(text);
}

/// <summary>Tariffs of the offices. Which office has a code is found out by asking them all.</summary>
public sealed class TariffBook
{
    private readonly Dictionary<int, decimal>[] _offices = Enumerable.Range(0, 12)
        .Select(office => Enumerable.Range(0, 1000).Where(code => code % 12 == office).ToDictionary(code => code, code => code * 0.01m))
        .ToArray();

    public decimal Lookup(int code)
    {
        for (int office = 0; office < _offices.Length; office++)
        {
            try { return AskOffice(office, code); }
            catch (KeyNotFoundException) { /* the next one may have it */ }
        }
        return 0;
    }

    private decimal AskOffice(int office, int code) => ReadTariff(_offices[office], code) * 1.19m;

    private static decimal ReadTariff(Dictionary<int, decimal> tariffs, int code) => tariffs[code];
}

[ApiController, Route("addresses")]
public sealed class AddressesController(AddressChecker checker) : ControllerBase
{
    [HttpGet("{id:int}/check")]
    public IActionResult Check(int id) => Ok(new { id, complete = checker.IsComplete("Unter den alten Linden b" + new string('x', id % 2)) });
}

[ApiController, Route("tariffs")]
public sealed class TariffsController(TariffBook book) : ControllerBase
{
    [HttpGet("{code:int}")]
    public IActionResult Get(int code) => Ok(new { code, tariff = book.Lookup(code) });
}
