"""House rule: one place opens and commits database transactions; a terminal's own file aside."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import tikiwallet

SOURCE = Path(tikiwallet.__file__).parent
THE_PLACE = SOURCE / "database" / "pool.py"
NO_SERVER = SOURCE / "terminal"  # its SQLite file is its own
DATABASES = {"db", "database"}  # what a `Database` is called; a connection is called otherwise
MODULES = {"pool", "history"}  # with a function of that name; history's reads the ledger
BY_HAND = re.compile(r"\s*(BEGIN|START\s+TRANSACTION|COMMIT|ROLLBACK|SAVEPOINT)\b", re.IGNORECASE)


def receiver(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name.lstrip("_")
        case _:
            return ""


def offences(tree: ast.AST) -> Iterator[int]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr="transaction", value=on)):
                if receiver(on) not in DATABASES | MODULES:
                    yield node.lineno
            case ast.Call(
                func=ast.Attribute(attr="execute" | "fetch" | "fetchval" | "fetchrow"),
                args=[ast.Constant(value=str(sql)), *_],
            ) if BY_HAND.match(sql):
                yield node.lineno
            case _:
                pass


def test_only_the_pool_begins_and_commits() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in sorted(SOURCE.rglob("*.py"))
        if path != THE_PLACE and NO_SERVER not in path.parents
        for line in offences(ast.parse(path.read_text()))
    ]
    assert found == []


def test_the_rule_sees_what_it_should() -> None:
    code = """
async with connection.transaction(): ...
async with self._connection.transaction(): ...
await connection.execute("begin; DELETE FROM x")
async with self.database.transaction() as connection: ...
async with pool.transaction(connection): ...
"""
    assert sorted(offences(ast.parse(f"async def f():\n{code}".replace("\n", "\n  ")))) == [3, 4, 5]
