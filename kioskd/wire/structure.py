"""From a tree of items to frozen dataclasses, by cattrs, with every mistake of the tree gathered on the way."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, TypeVar, get_args

from cattrs import ClassValidationError, Converter
from cattrs.errors import ForbiddenExtraKeysError
from cattrs.gen import make_dict_structure_fn

from kioskd.wire import values
from kioskd.wire.document import Item, Mistake, Mistakes

Reader = Callable[[str], object]
Section = TypeVar("Section")

_INDEX = re.compile(r"\[[0-9]+\]")


class Structure:
    """Fills dataclasses: a field's type says what is a section, a list, or may be null; its key's reader says the rest."""

    def __init__(self, readers: Mapping[str, Reader], contradiction: Callable[[object], str | None]) -> None:
        """Take the readers by dotted key, ``[]`` for the items of a list, and what says why two good fields cannot stand together."""
        self.converter = Converter()
        self._readers = readers
        self._contradiction = contradiction
        # The last word of each key and section, and where it belongs; the first of the table wins.
        self._elsewhere = {
            key.split(".")[-1]: key
            for full in reversed([key.replace("[]", "") for key in readers])
            for key in (full, full.rpartition(".")[0])
        }
        for kind in (str, int, bool, Enum):  # cattrs has hooks of its own for these, and asks them before any predicate
            self.converter.register_structure_hook(kind, self._value)
        self.converter.register_structure_hook_func(lambda type_: not is_dataclass(type_), self._value)
        self.converter.register_structure_hook_func(lambda type_: get_args(type_)[1:] == (...,), self._list)
        self.converter.register_structure_hook_factory(is_dataclass, self._section)

    def read(self, item: Item, cls: type[Section]) -> Section:
        """Return the section that the item means. Raise ``Mistakes`` with every one in it."""
        return self.converter.structure(item, cls)

    def _section(self, cls: type) -> Callable[[Item, type], object]:
        fill: Callable[[dict[str, Item], type], object] = make_dict_structure_fn(cls, self.converter, _cattrs_forbid_extra_keys=True)

        def structure(item: Item, _: type) -> object:
            if isinstance(item.value, str | list):
                what = "a list" if isinstance(item.value, list) else f'"{values.shown(item.value)}"'
                where = "" if item.key else "the file "
                raise Mistakes(item.mistake(f"{where}is {what} where `key: value` lines belong; known keys: {_names(cls)}"))
            given = item.value or {}
            try:
                made = fill(given, cls)
            except ClassValidationError as group:
                raise Mistakes(*(found for error in group.exceptions for found in self._mistakes(error, item, given, cls))) from None
            if contradiction := self._contradiction(made):
                raise Mistakes(item.mistake(contradiction))
            return made

        return structure

    def _mistakes(self, error: Exception, item: Item, given: dict[str, Item], cls: type) -> Iterator[Mistake]:
        if isinstance(error, Mistakes):
            yield from error.mistakes
        elif isinstance(error, ForbiddenExtraKeysError):
            yield from (given[name].mistake(self._unknown(name, cls)) for name in error.extra_fields)
        else:  # cattrs: the KeyError of a field without default
            yield item.mistake(f"{error.args[0]} is missing: a rule needs it")

    def _unknown(self, name: str, cls: type) -> str:
        guess = values.likely(name, [field.name for field in fields(cls)])
        guess = guess or self._elsewhere.get(values.likely(name, self._elsewhere) or "")
        return f'unknown key; did you mean "{guess}"?' if guess else f"unknown key; known here: {_names(cls)}"

    def _list(self, item: Item, type_: Any) -> tuple[object, ...]:
        if not isinstance(item.value, list):
            raise Mistakes(item.mistake("is not a list: write [] or one `- item` a line, or leave the key out for the default"))
        made: list[object] = []
        mistakes: list[Mistake] = []
        for part in item.value:
            try:
                made.append(self.converter.structure(part, get_args(type_)[0]))
            except Mistakes as found:
                mistakes.extend(found.mistakes)
        if mistakes:
            raise Mistakes(*mistakes)
        return tuple(made)

    def _value(self, item: Item, type_: Any) -> object:
        if item.value is None and type(None) in get_args(type_):
            return None
        if item.value is None:
            raise Mistakes(item.mistake("has no value: write one, or leave the key out for the default"))
        if not isinstance(item.value, str):
            raise Mistakes(item.mistake(f"is a {'list' if isinstance(item.value, list) else 'section'}: a single value belongs here"))
        try:
            return self._readers[_INDEX.sub("[]", item.key)](item.value)
        except ValueError as error:
            raise Mistakes(item.mistake(str(error))) from None


def _names(cls: type) -> str:
    return ", ".join(field.name for field in fields(cls))
