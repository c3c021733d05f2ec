"""Money: integers in minor units, and the currencies they are counted in.

Codes, numbers and exponents are ISO 4217's, which differ from what locale data shows for a dozen
currencies; BTC (satoshi), ETH (gwei) and the house token TIK have numbers above ISO's range.
"""

from typing import Final, NamedTuple

from tikiwallet.errors import Problem

AMOUNT_MAX: Final = 2**53 - 1  # what a JSON number carries exactly
_SGD_PARTS: Final = 10_000  # the minor units of the S$100 that the table's worth is for


class UnknownCurrency(Problem):
    code = "unknown_currency"
    title = "There is no such currency here"


class Currency(NamedTuple):
    """`exponent`: decimal places of its major unit; `number` is what is stored, never the code."""

    code: str
    number: int
    exponent: int
    name: str


class Money(NamedTuple):
    """`amount` minor units of `currency`."""

    amount: int
    currency: Currency

    @property
    def written(self) -> str:
        """For people who read English: `SGD 1,234.50`."""
        exponent = self.currency.exponent
        whole, part = divmod(self.amount, 10**exponent)
        return f"{self.currency.code} {whole:,}" + (f".{part:0{exponent}d}" if exponent else "")


# Code, number, exponent, the minor units that S$100 buys (two digits, late 2025), name. The worth
# only places limits, so it is rough and does not follow the market; nothing is converted by it.
_TABLE: Final = """\
AED 784 2 28000 UAE Dirham
AFN 971 2 520000 Afghani
ALL 008 2 640000 Lek
AMD 051 2 2900000 Armenian Dram
AOA 973 2 7000000 Kwanza
ARS 032 2 11000000 Argentine Peso
AUD 036 2 12000 Australian Dollar
AWG 533 2 14000 Aruban Florin
AZN 944 2 13000 Azerbaijan Manat
BAM 977 2 13000 Convertible Mark
BBD 052 2 15000 Barbados Dollar
BDT 050 2 940000 Taka
BHD 048 3 29000 Bahraini Dinar
BIF 108 0 230000 Burundi Franc
BMD 060 2 7700 Bermudian Dollar
BND 096 2 10000 Brunei Dollar
BOB 068 2 53000 Boliviano
BOV 984 2 18000 Mvdol
BRL 986 2 42000 Brazilian Real
BSD 044 2 7700 Bahamian Dollar
BTN 064 2 680000 Ngultrum
BWP 072 2 100000 Pula
BYN 933 2 23000 Belarusian Ruble
BZD 084 2 15000 Belize Dollar
CAD 124 2 11000 Canadian Dollar
CDF 976 2 17000000 Congolese Franc
CHE 947 2 6200 WIR Euro
CHF 756 2 6200 Swiss Franc
CHW 948 2 6200 WIR Franc
CLF 990 4 18000 Unidad de Fomento
CLP 152 0 72000 Chilean Peso
CNY 156 2 55000 Yuan Renminbi
COP 170 2 30000000 Colombian Peso
COU 970 2 75000 Unidad de Valor Real
CRC 188 2 3800000 Costa Rican Colon
CUP 192 2 180000 Cuban Peso
CVE 132 2 730000 Cabo Verde Escudo
CZK 203 2 160000 Czech Koruna
DJF 262 0 14000 Djibouti Franc
DKK 208 2 49000 Danish Krone
DOP 214 2 480000 Dominican Peso
DZD 012 2 1000000 Algerian Dinar
EGP 818 2 370000 Egyptian Pound
ERN 232 2 120000 Nakfa
ETB 230 2 1200000 Ethiopian Birr
EUR 978 2 6600 Euro
FJD 242 2 18000 Fiji Dollar
FKP 238 2 5800 Falkland Islands Pound
GBP 826 2 5800 Pound Sterling
GEL 981 2 21000 Lari
GHS 936 2 86000 Ghana Cedi
GIP 292 2 5800 Gibraltar Pound
GMD 270 2 560000 Dalasi
GNF 324 0 670000 Guinean Franc
GTQ 320 2 59000 Quetzal
GYD 328 2 1600000 Guyana Dollar
HKD 344 2 60000 Hong Kong Dollar
HNL 340 2 200000 Lempira
HTG 332 2 1000000 Gourde
HUF 348 2 2500000 Forint
IDR 360 2 130000000 Rupiah
ILS 376 2 25000 New Israeli Sheqel
INR 356 2 680000 Indian Rupee
IQD 368 3 100000000 Iraqi Dinar
IRR 364 2 320000000 Iranian Rial
ISK 352 0 9800 Iceland Krona
JMD 388 2 1200000 Jamaican Dollar
JOD 400 3 55000 Jordanian Dinar
JPY 392 0 12000 Yen
KES 404 2 990000 Kenyan Shilling
KGS 417 2 670000 Som
KHR 116 2 31000000 Riel
KMF 174 0 33000 Comorian Franc
KPW 408 2 6900000 North Korean Won
KRW 410 0 110000 Won
KWD 414 3 24000 Kuwaiti Dinar
KYD 136 2 6400 Cayman Islands Dollar
KZT 398 2 4000000 Tenge
LAK 418 2 170000000 Lao Kip
LBP 422 2 690000000 Lebanese Pound
LKR 144 2 2400000 Sri Lanka Rupee
LRD 430 2 1400000 Liberian Dollar
LSL 426 2 130000 Loti
LYD 434 3 420000 Libyan Dinar
MAD 504 2 72000 Moroccan Dirham
MDL 498 2 130000 Moldovan Leu
MGA 969 2 35000000 Malagasy Ariary
MKD 807 2 410000 Denar
MMK 104 2 16000000 Kyat
MNT 496 2 27000000 Tugrik
MOP 446 2 62000 Pataca
MRU 929 2 310000 Ouguiya
MUR 480 2 350000 Mauritius Rupee
MVR 462 2 120000 Rufiyaa
MWK 454 2 13000000 Malawi Kwacha
MXN 484 2 140000 Mexican Peso
MXV 979 2 17000 Mexican Unidad de Inversion (UDI)
MYR 458 2 32000 Malaysian Ringgit
MZN 943 2 490000 Mozambique Metical
NAD 516 2 130000 Namibia Dollar
NGN 566 2 11000000 Naira
NIO 558 2 280000 Cordoba Oro
NOK 578 2 78000 Norwegian Krone
NPR 524 2 1100000 Nepalese Rupee
NZD 554 2 13000 New Zealand Dollar
OMR 512 3 30000 Rial Omani
PAB 590 2 7700 Balboa
PEN 604 2 26000 Sol
PGK 598 2 33000 Kina
PHP 608 2 450000 Philippine Peso
PKR 586 2 2200000 Pakistan Rupee
PLN 985 2 28000 Zloty
PYG 600 0 540000 Guarani
QAR 634 2 28000 Qatari Rial
RON 946 2 34000 Romanian Leu
RSD 941 2 780000 Serbian Dinar
RUB 643 2 620000 Russian Ruble
RWF 646 0 110000 Rwanda Franc
SAR 682 2 29000 Saudi Riyal
SBD 090 2 63000 Solomon Islands Dollar
SCR 690 2 110000 Seychelles Rupee
SDG 938 2 4600000 Sudanese Pound
SEK 752 2 73000 Swedish Krona
SGD 702 2 10000 Singapore Dollar
SHP 654 2 5800 Saint Helena Pound
SLE 925 2 180000 Leone
SOS 706 2 4400000 Somali Shilling
SRD 968 2 300000 Surinam Dollar
SSP 728 2 36000000 South Sudanese Pound
STN 930 2 160000 Dobra
SVC 222 2 67000 El Salvador Colon
SYP 760 2 85000000 Syrian Pound
SZL 748 2 130000 Lilangeni
THB 764 2 250000 Baht
TJS 972 2 72000 Somoni
TMT 934 2 27000 Turkmenistan New Manat
TND 788 3 230000 Tunisian Dinar
TOP 776 2 18000 Pa’anga
TRY 949 2 330000 Turkish Lira
TTD 780 2 52000 Trinidad and Tobago Dollar
TWD 901 2 240000 New Taiwan Dollar
TZS 834 2 19000000 Tanzanian Shilling
UAH 980 2 320000 Hryvnia
UGX 800 0 280000 Uganda Shilling
USD 840 2 7700 US Dollar
USN 997 2 7700 US Dollar (Next day)
UYI 940 0 480 Uruguay Peso en Unidades Indexadas (UI)
UYU 858 2 310000 Peso Uruguayo
UYW 927 4 17000 Unidad Previsional
UZS 860 2 92000000 Uzbekistan Sum
VED 926 2 1800000 Bolívar Soberano
VES 928 2 1800000 Bolívar Soberano
VND 704 0 2000000 Dong
VUV 548 0 9400 Vatu
WST 882 2 22000 Tala
XAD 396 2 28000 Arab Accounting Dinar
XAF 950 0 43000 CFA Franc BEAC
XCD 951 2 21000 East Caribbean Dollar
XCG 532 2 14000 Caribbean Guilder
XOF 952 0 43000 CFA Franc BCEAO
XPF 953 0 7900 CFP Franc
YER 886 2 1800000 Yemeni Rial
ZAR 710 2 130000 Rand
ZMW 967 2 180000 Zambian Kwacha
ZWG 924 2 200000 Zimbabwe Gold
BTC 2001 8 86000 Bitcoin
ETH 2002 9 26000000 Ether
TIK 2003 2 10000 TikiWallet Token
"""


def _read_table() -> tuple[dict[str, Currency], dict[str, int]]:
    currencies: dict[str, Currency] = {}
    worth: dict[str, int] = {}
    for line in _TABLE.splitlines():
        code, number, exponent, buys, name = line.split(" ", 4)
        currencies[code] = Currency(code, int(number), int(exponent), name)
        worth[code] = int(buys)
    return currencies, worth


_READ: Final = _read_table()
CURRENCIES: Final = _READ[0]
REFERENCE_WORTH: Final = _READ[1]  # minor units that S$100 buys, roughly
BY_NUMBER: Final = {currency.number: currency for currency in CURRENCIES.values()}


def currency(code: str) -> Currency:
    """The currency with this ISO code in capitals, or BTC, ETH, TIK.

    Raises UnknownCurrency.
    """
    found = CURRENCIES.get(code)
    if found is None:
        raise UnknownCurrency(f"{code[:8]!r} is not a currency code such as SGD")
    return found


def worth_of_sgd(minor_sgd: int, code: str) -> int:
    """Roughly what `minor_sgd` cents of Singapore are worth, in minor units of `code`; at least 1.

    A currency without a worth counts one major unit as one Singapore dollar. Raises
    UnknownCurrency.
    """
    return max(1, minor_sgd * _reference(code) // _SGD_PARTS)


def worth_of_usd(minor_usd: int, code: str) -> int:
    """As `worth_of_sgd`, of US cents."""
    return max(1, minor_usd * _reference(code) // REFERENCE_WORTH["USD"])


def _reference(code: str) -> int:
    parity: int = 100 * 10 ** currency(code).exponent
    return REFERENCE_WORTH.get(code, parity)
