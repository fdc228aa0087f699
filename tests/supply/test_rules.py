"""What no module of ours may do. Who may open a socket at all is the same kind of rule: `test_one_way.py`."""

from __future__ import annotations

import ast
import re

import pytest

from rules import Rule
from tree import ROOT, files, parsed

FIELDS = "the names of columns, which stand in the code; every value is a parameter"
SECONDS = "a number of the code: PRAGMA takes no parameters"
ONCE = "a secret that was just made is shown, once, to whom it is for"
RULES = {
    "data-is-not-run": Rule(
        "What is read is data: no loader that can run what it reads, no templates, no code from text.",
        modules=frozenset(
            (
                *(
                    "pickle",
                    "marshal",
                    "shelve",
                    "dill",
                    "joblib",
                    "cloudpickle",
                    "jsonpickle",
                    "yaml.loader",
                    "yaml.constructor",
                    "jinja2",
                    "mako",
                ),
                *("code", "runpy", "pickletools", "xml", "plistlib"),
            )
        ),
        names=frozenset(
            (
                *("eval", "exec", "compile", "__import__", "builtins.eval", "builtins.exec", "breakpoint"),
                *(f"yaml.{how}load{many}" for how in ("", "full_", "unsafe_") for many in ("", "_all")),
                *("yaml.Loader", "yaml.FullLoader", "yaml.UnsafeLoader", "yaml.CLoader", "yaml.CUnsafeLoader"),
            )
        ),
    ),
    "a-secret-is-opened-where-it-is-used": Rule(
        "A secret's value is taken out only where it is used, and nowhere by the way.",
        members=frozenset({"reveal"}),
        allowed={
            "talk/secret.py": "takes it out of a text that is shown",
            "engine/target.py": "takes it out of an answer that quotes it",
            "engine/environment.py": "whether what a variable holds looks like a key",
            "vault/vault.py": "seals it; and whether it is a mask that was entered as a key",
            "vault/personal.py": "the key that what is kept for somebody is sealed under",
            "vault/password.py": "stretches it",
            "vault/login.py": "compares a code of an authenticator",
            "vault/tokens.py": "makes its digest",
            "vault/page_tokens.py": "makes its digest",
            "vault/boxes.py": "opens pieces with it",
            "vault/age.py": "stretches a passphrase",
            "vault/transit.py": "into the header for the server that keeps the root key",
            "settings/alerts.py": "whether it is long enough to sign with",
            "transport/request.py": "into the bytes of the request",
            "transport/mail.py": "logs in at the mail server; takes it out of what that says",
            "app/oidc.py": "shows itself to the issuer",
            "app/house.py": "whether a setting is another than before",
            "app/parcels.py": "into a file that a passphrase seals",
            "app/parcel_in.py": "whether a key of the file is the one that is stored",
            "app/people.py": "makes a digest",
            "app/signing.py": "makes a digest",
            "app/foreign/plan.py": "whose it looks like, and whether the file or the vault has it already",
            "app/foreign/litellm.py": "whether two entries of the file are the same",
            "app/foreign/imports.py": "stores it",
            "cli/desktop.py": "into the address that the window opens, once",
            "cli/tokens.py": ONCE,
            "cli/users.py": ONCE,
            "server/doors.py": "sets the cookie",
            "server/pages.py": "into the address that signs a browser in, shown once",
            "server/api/sessions.py": ONCE,
            "server/api/sign_in.py": ONCE,
            "server/api/tokens.py": ONCE,
            "server/api/users.py": ONCE,
        },
    ),
    "values-are-parameters": Rule(
        "Nothing is put into the text of SQL.",
        sql=True,
        allowed={
            "app/foreign/one_api.py": "columns that it asks for, numbers and pragmas of the code, of another's file",
            "store/alerts.py": FIELDS,
            "store/budgets.py": FIELDS,
            "store/cached.py": FIELDS,
            "store/keys.py": FIELDS,
            "store/remembered.py": FIELDS,
            "store/rotation.py": FIELDS,
            "store/migrations/versions/0002_money.py": FIELDS,
            "store/migrations/versions/0003_sound.py": FIELDS,
            "store/schema.py": "the name of the table, which stands in the code",
            "store/connect.py": SECONDS,
            "store/pen_sqlite.py": SECONDS,
            "store/parcel.py": "names of tables, which stand in the code",
        },
    ),
    "who-answers-is-checked": Rule(
        "No connection without its certificate and its name checked; no shell.",
        names=frozenset(
            (
                *("ssl.CERT_NONE", "ssl.CERT_OPTIONAL", "ssl._create_unverified_context"),
                *("ssl._create_default_https_context", "ssl._create_stdlib_context"),
            )
        ),
        keywords=frozenset(
            (
                *(("verify", False), ("verify_ssl", False), ("check_hostname", False), ("ssl", False)),
                *(("trust_env", True), ("follow_redirects", True), ("allow_redirects", True), ("shell", True)),
            )
        ),
    ),
    "a-deadline-is-not-on-the-wall-clock": Rule(
        "The wall clock is put forward and back; what waits, and what decides, takes the one that only goes forward.",
        names=frozenset({"time.time", "time.time_ns", "datetime.datetime.now", "datetime.datetime.utcnow"}),
        inside=("transport/", "routing/", "wires/", "server/connection.py", "server/streams.py", "engine/walk.py"),
    ),
    "chance-that-nobody-guesses": Rule(
        "What must not be guessed comes from `secrets`.",
        modules=frozenset({"random", "uuid.uuid1"}),
        names=frozenset({"random.random", "uuid.uuid1"}),
        allowed={
            "engine/walk.py": "how long a retry waits",
            "engine/choosing.py": "which request goes to a target that was not measured yet",
            "engine/lessons.py": "which request tries a target of which little was learned",
            "simulate/faults.py": "which requests of a test fail, the same ones each time",
        },
    ),
    "digests-that-hold": Rule(
        "No digest that two texts can be made for.",
        names=frozenset({"hashlib.md5", "hashlib.sha1", "hashlib.new"}),
        modules=frozenset({"crypt"}),
    ),
    "settings-read-the-environment": Rule(
        "One reader of the environment: what is not in its table has no effect.",
        names=frozenset({"os.environ", "os.environb", "os.getenv", "os.getenvb", "os.putenv", "os.environ.get"}),
        allowed={
            "settings/__init__.py": "the reader",
            "settings/environment.py": "keys of the environment",
        },
    ),
    "errors-show-no-locals": Rule(
        "No tracebacks with what they hold, no printing by the way.",
        modules=frozenset({"traceback", "cgitb", "rich.traceback", "pdb", "inspect"}),
        names=frozenset({"print", "locals", "vars", "logging.exception"}),
        allowed={
            "server/connection.py": "where a defect is, without what it says",
            "spending/compile.py": "the fields of a price",
        },
    ),
    "no-file-that-others-foresee": Rule(
        "Temporary files have names that nobody knows before.",
        names=frozenset({"tempfile.mktemp", "os.tmpnam", "os.tempnam"}),
    ),
}

# For each rule what it finds, and what it lets be.
BAD = {
    "data-is-not-run": (
        *("import pickle", "from yaml import load", "import yaml.loader", "eval(a)", "exec('x')", "f = compile"),
        *("import xml.etree.ElementTree as e", "from jinja2 import Template", "__import__(name)"),
    ),
    "a-secret-is-opened-where-it-is-used": ("key.reveal()", "show = self._key.reveal", "print(f'{a.b().reveal()!r}')"),
    "values-are-parameters": (
        *('c.execute(f"SELECT {x}")', 'c.exec_driver_sql("SELECT %s" % x)', 'c.execute("SELECT " + x)'),
        *('c.execute(text(f"DELETE FROM {x}"))', 'sa.text("SELECT {}".format(x))', 'c.executemany("".join(a), b)'),
    ),
    "who-answers-is-checked": (
        *("import ssl\nc.verify_mode = ssl.CERT_NONE", "from ssl import CERT_NONE", "get(u, verify=False)"),
        *("import ssl as s\ns._create_unverified_context()", "run(c, shell=True)", "Client(trust_env=True)"),
    ),
    "a-deadline-is-not-on-the-wall-clock": (
        *("import time\nend = time.time() + 3", "from time import time as now\nnow()", "import time as t\nt.time_ns()"),
        *("from datetime import datetime\ndatetime.now()", "import datetime\ndatetime.datetime.now(tz)"),
    ),
    "chance-that-nobody-guesses": ("import random", "from random import choice", "import uuid\nuuid.uuid1()"),
    "digests-that-hold": (
        "import hashlib\nhashlib.md5(b)",
        "from hashlib import sha1",
        "import hashlib as h\nh.new(n)",
    ),
    "settings-read-the-environment": (
        *("import os\nos.environ['A']", "from os import environ", "from os import getenv as g\ng('A')"),
        *("import os as o\no.environ.get('A')",),
    ),
    "errors-show-no-locals": (
        "print(key)",
        "import traceback",
        "from rich import traceback",
        "a = locals()",
        "vars(s)",
    ),
    "no-file-that-others-foresee": ("import tempfile\ntempfile.mktemp()", "from tempfile import mktemp"),
}
GOOD = {
    "data-is-not-run": ("import re\nre.compile('a')", "import json", "pattern.exec(a)", "import codecs", "code = 3"),
    "a-secret-is-opened-where-it-is-used": ("key.masked()", "reveal(page)"),
    "values-are-parameters": (
        *('c.execute("SELECT ?", (x,))', 'c.execute("SELECT a " "FROM b")', "c.execute(select(t))"),
        *('c.execute(text("SELECT :x"), {"x": x})', 'show(f"{x}")'),
    ),
    "who-answers-is-checked": ("get(u, verify=True)", "context.check_hostname = True", "run(c)", "import ssl"),
    "a-deadline-is-not-on-the-wall-clock": ("import time\ntime.monotonic()", "row.time", "from time import monotonic"),
    "chance-that-nobody-guesses": ("import secrets", "import uuid\nuuid.uuid4()", "def f(random): return random()"),
    "digests-that-hold": ("from hashlib import sha256", "import hashlib\nhashlib.scrypt(b)"),
    "settings-read-the-environment": ("import os\nos.getpid()", "load(environ)"),
    "errors-show-no-locals": ("log.error(a)", "sheet.print()", "error.with_traceback(None)"),
    "no-file-that-others-foresee": ("import tempfile\ntempfile.TemporaryDirectory()",),
}
SRC = "src/ownkey/"


@pytest.mark.parametrize("name", RULES)
def test_every_module_keeps_the_rule_but_those_that_say_why(name: str) -> None:
    rule = RULES[name]
    found = {
        path.removeprefix(SRC): lines
        for path, tree in parsed("src")
        if path.removeprefix(SRC).startswith(rule.inside) and (lines := list(rule.found(tree)))
    }
    assert {path: lines for path, lines in found.items() if path not in rule.allowed} == {}, rule.why
    assert rule.allowed.keys() - found.keys() == set(), "allowed, and not needed"


@pytest.mark.parametrize(("name", "code"), [(name, code) for name in RULES for code in BAD[name]])
def test_what_breaks_the_rule_is_found(name: str, code: str) -> None:
    assert list(RULES[name].found(ast.parse(code)))


@pytest.mark.parametrize(("name", "code"), [(name, code) for name in RULES for code in GOOD[name]])
def test_what_keeps_the_rule_is_let_be(name: str, code: str) -> None:
    assert list(RULES[name].found(ast.parse(code))) == []


def test_P06_no_module_has_a_loader_that_runs_what_it_reads() -> None:
    assert not RULES["data-is-not-run"].allowed
    assert [path for path, tree in parsed("src") if list(RULES["data-is-not-run"].found(tree))] == []


def test_a_line_that_the_linter_is_told_to_let_be_says_which_of_its_rules() -> None:
    """A bare `noqa` would switch off those on security with the rest."""
    bare = re.compile(r"#\s*(?:noqa(?!:\s*[A-Z]+\d)|nosec|type:\s*ignore(?!\[))")
    assert [str(path) for path in files(".py", under="src") if bare.search(path.read_text("utf-8"))] == []
    assert '"S", "BLE", "T20"' in (ROOT / "pyproject.toml").read_text("utf-8")
