"""Words of our own for typeset pages."""

from __future__ import annotations

import random

GOODS = (
    "Garden fork", "Copper wire", "Lamp oil, 2 kg", "Screw clamp", "Wood glue", "Masking tape",
    "Wheelbarrow", "Plumb line", "Roof felt", "Hand saw", "Chisel, narrow", "Paint roller",
    "Nail puller", "Tarpaulin, green", "Rope, 20 m", "Wire brush", "Padlock", "Bucket, zinc",
)  # fmt: skip
STATES = ("available", "not in stock", "ordered", "one left", "please ask", "from July")
TIMES = ("06:50", "07:25", "08:05", "09:40", "11:15", "12:30", "14:55", "16:20", "18:45", "20:10")
FIELDS = (
    ("Family name", "Halvorsen"), ("First name", "Ingeborg"), ("Street", "Orchard Close 17"),
    ("Post code", "KW14 7QR"), ("Town", "Wick"), ("Born on", "22 February 1968"),
    ("Telephone", "01955 60 33 18"), ("Profession", "Carpenter"), ("Member since", "May 2011"),
    ("Branch", "Castle Terrace"),
)  # fmt: skip
DISHES = (
    ("Tomato broth", "Smoked trout", "Goat cheese", "Leeks in oil", "Bean salad", "Nettle soup"),
    ("Lamb stew", "Baked cod", "Pumpkin pie", "Duck leg", "Mussels", "Barley risotto"),
)
SENTENCES = (
    "The old bridge was closed in autumn because two of its pillars had begun to sink.",
    "Since then the bus takes the long way around the hill and needs half an hour more.",
    "A farmer on the north side keeps a small boat and rows the children to school.",
    "The council asked three builders for an offer, and only one of them sent an answer.",
    "His price was higher than the money that the town had put aside for the whole road.",
    "In spring a group of neighbours met in the mill and decided to help with the work.",
    "They cut the timber in the forest above the lake and carried it down on sledges.",
    "An engineer from the coast drew the plans without asking for any payment.",
    "By the end of June the first planks were laid and people could walk across again.",
    "Cars will have to wait until the stone pillars have been repaired next year.",
    "The museum shows a model of the first bridge, which was built of oak and iron.",
    "Visitors may look at it from Tuesday to Sunday, and pupils do not have to pay.",
    "A letter from the year of the flood tells how the keeper saved the toll house.",
    "Nothing else is known about him, except that he kept bees and played the fiddle.",
    "The bell above the gate was rung whenever a ship came into the bay at night.",
    "Today it hangs in the hall and is only heard on the day of a wedding.",
)
NAMES = ("Ingeborg Halvorsen", "Duncan Rafferty", "Amina Yusuf", "Piotr Zielinski", "Mei Tanaka")
TOWNS = ("Wick", "Lerwick", "Oban", "Stromness", "Ullapool")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


def price(dice: random.Random) -> str:
    return f"{dice.randrange(1, 900)}.{dice.randrange(100):02}"


def values(dice: random.Random, count: int) -> list[str]:
    """Prices, states or times."""
    return dice.choice(
        [
            [price(dice) for _ in range(count)],
            dice.choices(STATES, k=count),
            sorted(dice.choices(TIMES, k=count)),
        ]
    )


def prose(dice: random.Random, count: int) -> list[str]:
    """Sentences, none twice."""
    return dice.sample(SENTENCES, count)


def beginnings(sentences: list[str], words: int = 5) -> list[str]:
    """What each sentence is checked by."""
    return [" ".join(sentence.split()[:words]) for sentence in sentences]


def date(dice: random.Random) -> str:
    return f"{dice.randrange(1, 29)} {dice.choice(MONTHS)} {dice.randrange(1995, 2025)}"
