"""The common exceptions in plain words: what each means, and what usually helps.

A table, so that adding one is a line. Sources: the Python documentation's "Built-in Exceptions", and the messages of
numpy and pandas as they print them.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Meaning(NamedTuple):
    """What an exception says, and what to do next."""

    says: str
    next_step: str


MEANINGS = {
    "ArithmeticError": Meaning("A calculation could not be done.", "Look at the values that go into it."),
    "AssertionError": Meaning(
        "A check in the code (`assert`) found that something is not as it should be.",
        "Read the check, and look at the values it compares.",
    ),
    "AttributeError": Meaning(
        "An object was asked for something (`object.name`) that it does not have.",
        "Check the spelling, and what kind of object it is: `type(…)` and `dir(…)` tell.",
    ),
    "CalledProcessError": Meaning(
        "A command that was started ended with an error.", "Run it in a terminal to see its full output."
    ),
    "ConnectionError": Meaning(
        "A network connection could not be made or was lost.",
        "Check the address and the network, then run the cell again.",
    ),
    "EOFError": Meaning("Input ended where more was expected.", "Check that the file is complete."),
    "EmptyDataError": Meaning("The file has no columns to read.", "Check the path and whether the file is empty."),
    "FileExistsError": Meaning("The file or folder is already there.", "Choose another name, or allow it to be there."),
    "FileNotFoundError": Meaning(
        "A file was to be read that is not there, seen from the folder the kernel runs in.",
        "Check the path: it is relative to the notebook's folder (`%pwd` shows it, `%ls` lists it).",
    ),
    "FloatingPointError": Meaning("A calculation with decimal numbers failed.", "Look at the values that go into it."),
    "ImportError": Meaning(
        "A module was found, but not the name that was to be imported from it.",
        "Check the name's spelling and the package's version; restart the kernel after an upgrade.",
    ),
    "IndentationError": Meaning(
        "The indentation of a line does not fit the lines around it.",
        "Indent the lines of one block alike, with spaces only.",
    ),
    "IndexError": Meaning(
        "A position was asked for that is past the end.",
        "Check how long it is (`len(…)` or `.shape`); positions count from 0.",
    ),
    "IsADirectoryError": Meaning("A file was expected, but the path is a folder.", "Add the file's name to the path."),
    "JSONDecodeError": Meaning("A text is not valid JSON.", "Print its beginning: it may be empty, or an error page."),
    "KeyError": Meaning(
        "A dictionary or a table was asked for a key that it does not have.",
        "List what there is (`.columns` of a table, `.keys()` of a dictionary) and compare the spelling.",
    ),
    "KeyboardInterrupt": Meaning(
        "The cell was stopped by hand; it did not fail by itself.", "Run it again when you want to."
    ),
    "LinAlgError": Meaning(
        "A matrix does not allow the calculation (often: it is singular).",
        "Check for columns that repeat each other, and for missing values.",
    ),
    "LookupError": Meaning(
        "Something was looked up that is not there.", "Compare what is asked for with what there is."
    ),
    "MemoryError": Meaning("The machine's memory was not enough.", "Work on a part of the data, or on smaller types."),
    "MergeError": Meaning(
        "Two tables could not be joined as asked.", "Check the columns to join on, and repeated keys."
    ),
    "ModuleNotFoundError": Meaning(
        "A package is not installed in the environment of this kernel.", "Install it and run the cell again."
    ),
    "NameError": Meaning(
        "A name is used that has no value in the kernel.",
        "Run the cell that gives it a value, or correct the spelling.",
    ),
    "NotImplementedError": Meaning("This part of the code has not been written yet.", "Write it, or use another way."),
    "OSError": Meaning("The operating system refused an operation.", "Check the path, permissions and free space."),
    "OutOfBoundsDatetime": Meaning("A date is outside what pandas can hold.", "Look for wrong years in the data."),
    "OverflowError": Meaning("A number became too large.", "Look at the values, or use a type with more room."),
    "ParserError": Meaning(
        "A file does not have the shape that was expected.", "Check the separator and the line it names."
    ),
    "PermissionError": Meaning(
        "The file may not be read or written by you.", "Check its permissions, or use another path."
    ),
    "RecursionError": Meaning(
        "A function called itself too many times.", "Check the condition that should end the recursion."
    ),
    "RuntimeError": Meaning("Something went wrong while running.", "The message says what."),
    "StopIteration": Meaning(
        "An iterator had nothing more to give.", "Give `next(…)` a default, or check for the end."
    ),
    "SyntaxError": Meaning(
        "Python could not read the code, so nothing in the cell was run.",
        "Look at the marked place and just before it: a bracket, a quote, a comma or a colon is often missing.",
    ),
    "TabError": Meaning("Tabs and spaces are mixed in the indentation.", "Use spaces only."),
    "TimeoutError": Meaning("Something took too long and was given up.", "Try again, or allow more time."),
    "TypeError": Meaning(
        "An operation or a function was given a value of a kind it does not work with.",
        "Print `type(…)` of the values in that line.",
    ),
    "UnboundLocalError": Meaning(
        "A function uses a variable before it gives it a value. A name assigned anywhere in a function is local to it.",
        "Pass the value as an argument, or assign it before it is used.",
    ),
    "UnicodeDecodeError": Meaning(
        "A file's text is not in the encoding it was read with.", 'Name the encoding, for example `encoding="latin-1"`.'
    ),
    "UnicodeEncodeError": Meaning("A text has characters the encoding cannot write.", 'Write with `encoding="utf-8"`.'),
    "ValueError": Meaning(
        "A value is of the right kind, but not one that can be used here.", "Print the values that go into that line."
    ),
    "ZeroDivisionError": Meaning(
        "A number was divided by zero.", "Find out why the divisor is zero, or handle that case before dividing."
    ),
}

OTHERWISE = Meaning(
    "The code in the cell raised an exception.", "Read its message, and look at the values in that line."
)


class Clue(NamedTuple):
    """A message that tells more than the exception's name."""

    exception: str
    message: re.Pattern[str]
    says: str
    next_step: str


def _clue(exception: str, message: str, says: str, next_step: str) -> Clue:
    return Clue(exception, re.compile(message), says, next_step)


CLUES = (
    _clue(
        "TypeError",
        r"unsupported operand type\(s\) for ([-+*/%&|^<>=@]{1,3}).{0,12}?: '(\w+)' and '(\w+)'",
        "`{1}` does not work between {2} and {3}: one of them is not what it looks like.",
        "Convert one of them (`int(…)`, `float(…)`, `str(…)`; for a column `pd.to_numeric(…)`).",
    ),
    _clue(
        "TypeError",
        r"can only concatenate str \(not \"([\w.]+)\"\) to str",
        "A text and {1} were added with `+`.",
        'Use an f-string, `f"…{{value}}…"`, or `str(value)`; to add numbers, use `float(…)`.',
    ),
    _clue(
        "TypeError",
        r"'NoneType' object is not (subscriptable|iterable|callable)",
        "A value is `None` where something real was expected: often the result of a function without `return`, or of "
        "a method that changes in place.",
        "Find where the value comes from, and do not assign the result of an in-place method.",
    ),
    _clue(
        "TypeError",
        r"'(\w+)' object is not callable",
        "A {1} was called like a function: either `(…)` is used where `[…]` is meant, or a function's name was given "
        "to a variable.",
        "Use square brackets for an index; if a name was overwritten, rename the variable and restart the kernel.",
    ),
    _clue(
        "TypeError",
        r"'(\w+)' object is not iterable",
        "A {1} was looped over, but it is a single value.",
        "Loop over a collection, or over `range(…)`.",
    ),
    _clue(
        "TypeError",
        r"'(\w+)' object is not subscriptable",
        "A {1} was indexed with `[…]`, which it does not allow.",
        "Print `type(…)` of what stands before the bracket.",
    ),
    _clue(
        "TypeError",
        r"string indices must be integers",
        "A text was indexed with a key: it is a text, not the dictionary or table that was expected.",
        "If it is JSON, parse it first (`json.loads(…)`); in a loop over a dictionary, use `.items()`.",
    ),
    _clue(
        "TypeError",
        r"unhashable type: '(\w+)'",
        "A {1} cannot be a dictionary's key or a set's element, since it can change.",
        "Use a tuple or a text instead.",
    ),
    _clue(
        "TypeError",
        r"missing \d+ required (?:positional|keyword-only) arguments?: ((?:'\w+'(?:, and | and |, )?){1,6})",
        "A function was called without its argument {1}.",
        "Pass the argument, or give it a default in the definition.",
    ),
    _clue(
        "TypeError",
        r"got an unexpected keyword argument '(\w+)'",
        "A function was given an argument named `{1}`, which it does not have.",
        "Check the name against the function's signature (`help(…)`).",
    ),
    _clue(
        "TypeError",
        r"takes (?:from )?\d.{0,30} positional arguments? but (\d+)",
        "A function was given more arguments than it takes.",
        "Compare the call with the function's signature.",
    ),
    _clue(
        "ValueError",
        r"could not convert string to float",
        "A text that is not a number was to become one.",
        'Look for it in the data; `pd.to_numeric(…, errors="coerce")` turns such values into missing ones.',
    ),
    _clue(
        "ValueError",
        r"invalid literal for int\(\)",
        "A text that is not a whole number was to become one.",
        "Strip blanks, and go through `float(…)` if it has decimals.",
    ),
    _clue(
        "ValueError",
        r"Length of values \((\d+)\) does not match length of index \((\d+)\)",
        "A column of {1} values was given to a table of {2} rows.",
        "Check where rows were filtered or dropped between the two.",
    ),
    _clue(
        "ValueError",
        r"truth value of (?:a|an) (\w+)",
        "A whole {1} was used where one yes or no is needed (`if`, `and`, `or`, `not`).",
        "Use `&`, `|` and `~` with brackets for each element, or `.any()` / `.all()` for one answer.",
    ),
    _clue(
        "ValueError",
        r"not enough values to unpack|too many values to unpack",
        "The number of names on the left is not the number of values on the right.",
        "Print what is unpacked and count.",
    ),
    _clue(
        "ValueError",
        r"could not be broadcast together|shapes? .{1,80} not aligned|must have same first dimension|"
        r"inconsistent numbers of samples|All arrays must be of the same length",
        "Two arrays have sizes that do not fit each other.",
        "Print `.shape` of both before that line.",
    ),
    _clue(
        "ValueError",
        r"contains NaN|cannot convert float NaN|infinity or a value too large",
        "The data have missing or infinite values.",
        "Find them with `.isna().sum()`, then drop or fill them.",
    ),
    _clue(
        "ValueError",
        r"time data .{1,80} (?:does not|doesn't) match format",
        "A date is not written in the format that was given.",
        "Compare the format with the data, or let pandas find it.",
    ),
    _clue(
        "ValueError",
        r"You are trying to merge on",
        "The columns to join on are of different types.",
        "Convert one with `.astype(…)` before the join.",
    ),
    _clue(
        "IndexError",
        r"index (-?\d+) is out of bounds for axis (\d+) with size (\d+)",
        "Position {1} was asked for, but axis {2} has only {3}, and positions count from 0.",
        "Check the length before indexing; `[-1]` is the last element.",
    ),
    _clue(
        "AttributeError",
        r"'NoneType' object has no attribute '(\w+)'",
        "`.{1}` was asked of `None`: the value before the dot was never set, or comes from a function without `return` "
        "or a method that changes in place.",
        "Find where that value comes from.",
    ),
    _clue(
        "AttributeError",
        r"'DataFrame' object has no attribute 'append'",
        "Tables have no `append` any more (removed in pandas 2).",
        "Use `pd.concat([first, second], ignore_index=True)`.",
    ),
    _clue(
        "AttributeError",
        r"'(?:DataFrame|Series)' object has no attribute 'ix'",
        "`.ix` was removed from pandas.",
        "Use `.loc[…]` for labels and `.iloc[…]` for positions.",
    ),
    _clue(
        "AttributeError",
        r"'(?:DataFrame|Series)' object has no attribute 'iteritems'",
        "`iteritems` was removed in pandas 2.",
        "Use `.items()`.",
    ),
    _clue(
        "AttributeError",
        r"module '(?:numpy|np)' has no attribute '(float|int|bool|object|str|complex)'",
        "`np.{1}` was removed from numpy.",
        "Use Python's own `{1}`.",
    ),
    _clue(
        "AttributeError",
        r"'(?:DataFrame|Series)' object has no attribute '(\w+)'",
        "The table has no column and no method named `{1}`.",
        "List the columns with `.columns`, and compare the spelling.",
    ),
    _clue(
        "AttributeError",
        r"module '([\w.]+)' has no attribute '(\w+)'",
        "The module `{1}` has nothing named `{2}`: another spelling, another version, or a file of yours with the "
        "module's name hides it.",
        "Check `{1}.__file__` and the package's version.",
    ),
    _clue(
        "RuntimeError",
        r"CUDA out of memory",
        "The graphics card's memory was not enough.",
        "Use a smaller batch, or free what other notebooks hold.",
    ),
    _clue(
        "SyntaxError",
        r"was never closed",
        "A bracket was opened and not closed.",
        "Close it: the marked place is where it was opened.",
    ),
    _clue(
        "SyntaxError",
        r"unterminated (?:triple-quoted )?(?:f-)?string",
        "A text's closing quote is missing.",
        "Close the quote.",
    ),
    _clue(
        "SyntaxError",
        r"Missing parentheses in call to 'print'",
        "`print` is a function in Python 3.",
        "Write `print(…)`.",
    ),
    _clue("SyntaxError", r"expected ':'", "A colon is missing at the end of the line.", "Add `:`."),
    _clue(
        "SyntaxError",
        r"Maybe you meant '==' or ':='|cannot assign to",
        "`=` stands where nothing can be assigned.",
        "Use `==` to compare.",
    ),
)

PACKAGES = {
    "sklearn": "scikit-learn",
    "cv2": "opencv-python",
    "PIL": "pillow",
    "bs4": "beautifulsoup4",
    "yaml": "pyyaml",
    "skimage": "scikit-image",
    "dotenv": "python-dotenv",
    "dateutil": "python-dateutil",
    "docx": "python-docx",
    "fitz": "pymupdf",
}
"""Packages whose name for pip is not the name they are imported by."""

ALIASES = {
    "np": "import numpy as np",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "sns": "import seaborn as sns",
    "px": "import plotly.express as px",
    "pl": "import polars as pl",
    "tf": "import tensorflow as tf",
    "sm": "import statsmodels.api as sm",
    "os": "import os",
    "re": "import re",
    "json": "import json",
    "math": "import math",
    "random": "import random",
    "time": "import time",
    "Path": "from pathlib import Path",
    "datetime": "from datetime import datetime",
    "Counter": "from collections import Counter",
    "defaultdict": "from collections import defaultdict",
}
"""What people usually mean by a name that was not imported."""


def clue_for(name: str, value: str) -> Meaning | None:
    """The first clue that an exception's message gives, filled in."""
    for clue in CLUES:
        if clue.exception == name and (match := clue.message.search(value[:2000])):
            words = [match[0], *(group or "" for group in match.groups())]
            return Meaning(clue.says.format(*words), clue.next_step.format(*words))
    return None


def meaning_of(name: str) -> Meaning:
    """What an exception means by its name; a subclass named like its parent (``HTTPConnectionError``) counts."""
    short = name.rpartition(".")[2]
    if short in MEANINGS:
        return MEANINGS[short]
    return next((meaning for known, meaning in MEANINGS.items() if short.endswith(known)), OTHERWISE)
