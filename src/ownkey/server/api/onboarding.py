"""The first steps of who has signed in, and the agreement."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from ownkey.app.onboarding import STEPS, Onboarding, Standing
from ownkey.server.api.forms import Form, Shape, SignedIn, TheHouse
from ownkey.store.first import Mode, Step

router = APIRouter(prefix="/api/byok", tags=["first steps"])


class AcceptedShape(Shape):
    version: str
    at_ms: int


class AgreementShape(Shape):
    """What holds now: paragraphs of `text` have an empty line between. `accepted`: what was accepted last, which may be
    an earlier version; null where nothing was."""

    version: str
    date: str
    text: str
    accepted: AcceptedShape | None


class OnboardingShape(Shape):
    """`steps` in their order. `has_key`: there is one for some provider; `has_local`: a server of one's own has told of
    its models. `demo`: they look around first."""

    step: Step
    steps: list[Step]
    mode: Mode | None
    demo: bool
    done: bool
    done_at_ms: int | None
    agreement: AgreementShape
    has_key: bool
    has_local: bool


class OnboardingForm(Form):
    """What is given is changed, and nothing else; null takes the mode away. The last step wants the agreement."""

    step: Step | None = None
    mode: Mode | None = None
    demo: bool | None = None
    done: bool | None = None


class AgreementForm(Form):
    version: Annotated[str, Field(min_length=1, max_length=40)]


@router.get("/onboarding")
def get_onboarding(principal: SignedIn, house: TheHouse) -> OnboardingShape:
    return _shape(Onboarding(house, principal.owner).get())


@router.patch("/onboarding")
def change_onboarding(form: OnboardingForm, principal: SignedIn, house: TheHouse) -> OnboardingShape:
    given = form.model_dump(exclude_unset=True)
    plain = {name: value for name, value in given.items() if value is not None or name == "mode"}
    return _shape(Onboarding(house, principal.owner).change(**plain))


@router.post("/agreement")
def accept_agreement(form: AgreementForm, principal: SignedIn, house: TheHouse) -> OnboardingShape:
    """The one of this version, which has to be the one that holds now."""
    return _shape(Onboarding(house, principal.owner).accept(form.version))


def _shape(standing: Standing) -> OnboardingShape:
    steps, text, accepted = standing.steps, standing.agreement, standing.accepted
    return OnboardingShape(
        step=steps.step,
        steps=list(STEPS),
        mode=steps.mode,
        demo=steps.demo,
        done=steps.done_at_ms is not None,
        done_at_ms=steps.done_at_ms,
        agreement=AgreementShape(
            version=text.version,
            date=text.date,
            text=text.text,
            accepted=None
            if accepted is None
            else AcceptedShape(version=accepted.version, at_ms=accepted.accepted_at_ms),
        ),
        has_key=standing.has_key,
        has_local=standing.has_local,
    )
