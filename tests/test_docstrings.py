"""Every public object has an example in its docstring, and every function names its arguments."""

import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

REFERENCE = Path(__file__).parents[1] / "docs" / "reference"
PAGES = [page.read_text("utf-8") for page in sorted(REFERENCE.glob("*.md"))]
MODULES = re.findall(r"^# (amseg_keras[\w.]*)$", "\n".join(PAGES), re.MULTILINE)
DESCRIPTORS = (property, classmethod, staticmethod)


def public(module, kind):
    """The public objects of a module that are of a kind, by name."""
    found = import_module(module)
    named = {name: getattr(found, name) for name in getattr(found, "__all__", vars(found))}
    ours = {name: thing for name, thing in named.items() if kind(thing)}
    return {name: thing for name, thing in ours.items() if "amseg_keras" in thing.__module__}


def has_example(thing):
    """Whether its own docstring has one that runs, or that of a public method of the class."""
    members = vars(thing).items() if inspect.isclass(thing) else ()
    methods = [
        member
        for name, member in members
        if not name.startswith("_") and (callable(member) or isinstance(member, DESCRIPTORS))
    ]
    texts = [one.__doc__ or "" for one in [thing, *methods]]
    return any(">>>" in text and "+SKIP" not in text for text in texts)


def unnamed_arguments(function):
    """Parameters that the section `Args:` of the docstring does not name."""
    section = re.search(r"^Args:\n((?: .*\n|\n)*)", f"{inspect.getdoc(function)}\n", re.MULTILINE)
    named = re.findall(r"^ {4}\*{0,2}(\w+):", section[1] if section else "", re.MULTILINE)
    return [name for name in inspect.signature(function).parameters if name not in named]


def test_there_are_modules_with_a_page():
    assert "amseg_keras.quantify.study" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_every_public_object_has_an_example(module):
    things = public(module, lambda thing: inspect.isclass(thing) or inspect.isfunction(thing))
    assert [name for name, thing in things.items() if not has_example(thing)] == []


@pytest.mark.parametrize("module", MODULES)
def test_every_public_function_names_its_arguments(module):
    functions = public(module, inspect.isfunction)
    unnamed = {name: unnamed_arguments(function) for name, function in functions.items()}
    assert {name: arguments for name, arguments in unnamed.items() if arguments} == {}
