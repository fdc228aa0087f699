"""What automations begin with: starters, each with an example, and the model that new ones get."""

from __future__ import annotations

import base64

from fastapi import APIRouter

from ownkey.app.automations.book import starters
from ownkey.app.starters import Starter, example
from ownkey.server.api.automations import DocumentShape, book_of, document_of
from ownkey.server.api.forms import Form, Known, Owner, Shape, TheHouse

router = APIRouter(prefix="/api", tags=["automations"])


class FileShape(Shape):
    """`data` is base64."""

    name: str
    data: str


class ExampleShape(Shape):
    """What a starter can be tried on, by variable, as a run takes it."""

    values: dict[str, str]
    files: dict[str, FileShape]


class StarterShape(DocumentShape):
    name: str
    title: str
    example: ExampleShape


class StartersShape(Shape):
    starters: list[StarterShape]


class DefaultForm(Form):
    """null: whichever provider of yours comes first."""

    model: str | None


class DefaultShape(Shape):
    model: str


@router.get("/automation-starters")
def list_starters(principal: Known) -> StartersShape:
    return StartersShape(starters=[_starter(one) for one in starters()])


@router.get("/automation-default")
def default_model(principal: Known, house: TheHouse) -> DefaultShape:
    return DefaultShape(model=book_of(principal, house).default_model())


@router.put("/automation-default")
def set_default_model(form: DefaultForm, principal: Owner, house: TheHouse) -> DefaultShape:
    """The model that new automations get."""
    return DefaultShape(model=book_of(principal, house).set_default_model(form.model))


def _starter(one: Starter) -> StarterShape:
    values, given = example(one.name)
    files = {name: FileShape(name=file.name, data=base64.b64encode(file.data).decode()) for name, file in given.items()}
    shown = ExampleShape(values=values, files=files)
    return StarterShape(name=one.name, title=one.title, example=shown, **document_of(one.document))
