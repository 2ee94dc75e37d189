"""What a domain is found by, and what it costs to have one."""

import subprocess
import sys
from dataclasses import replace

import pytest

from dubito import domains as registry
from dubito.bundles.validation.inspection import inspect
from dubito.cli import training_flags
from dubito.cli.main import main
from dubito.domains import Domain, Mistakes, chosen_domain, domain_of, domains
from dubito.errors import UsageError
from dubito.layout import Column, Layout
from dubito.loans.domain import LOANS
from dubito.targets import ClassTarget
from dubito.training.recipe import Recipe, find_recipe
from dubito.types import Signature
from tests.calibrated import SHIPPED

HOUSES = Domain(
    name="houses",
    layer_module="houses.layers",
    layers={},
    layout=Layout(
        (Column(name="area", title="Area", unit="m²", minimum=0.0, maximum=1e4),),
        ("kind",),
        ("flat", "villa"),
    ),
    bundle_name="house-kind",
)


@pytest.fixture
def both(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (registry, training_flags):
        monkeypatch.setattr(module, "domains", lambda: (HOUSES, LOANS))


def test_the_loans_are_registered() -> None:
    """By the entry point of this package, and nothing else here."""
    assert (LOANS,) == domains()
    assert LOANS is chosen_domain(None) is chosen_domain("loans")


def test_a_domain_needs_no_keras() -> None:
    """Whoever checks a file knows the domain's layers without importing them."""
    code = (
        "import sys, dubito.domains; dubito.domains.domains();"
        "sys.exit(bool({'keras', 'tensorflow'} & sys.modules.keys()))"
    )
    assert 0 == subprocess.run([sys.executable, "-c", code], check=False).returncode


def test_a_signature_shows_its_domain() -> None:
    """The shipped bundles are of loans; other names or other classes are not."""
    signature = inspect(SHIPPED).manifest.signature
    assert LOANS is domain_of(signature)
    assert domain_of(Signature(signature.features, ClassTarget(("A", "B")))) is None
    assert domain_of(Signature(signature.features[1:], signature.target)) is None


def test_every_recipe_is_where_the_domain_says() -> None:
    """The study's, which every domain has, and the loans' own."""
    assert LOANS.default_recipe in LOANS.recipes
    assert Recipe() == find_recipe(LOANS, "study") == find_recipe(HOUSES, HOUSES.default_recipe)
    recipes = [find_recipe(LOANS, name) for name in LOANS.recipes]
    assert all(isinstance(recipe, Recipe) for recipe in recipes)


def test_mistakes_name_their_features() -> None:
    """Those that are multiplied and those that are swapped."""
    mistakes = Mistakes({"big": {"area": 10.0}}, {"swap": ("rooms", "floors")})
    assert {"area", "rooms", "floors"} == mistakes.features
    assert not HOUSES.mistakes.features
    columns = {column.name for column in LOANS.layout.features}
    assert LOANS.mistakes.features <= columns


def test_training_needs_one_domain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """None is wrong use, and so are several of which none is named; the sentence names them."""
    monkeypatch.setattr(registry, "domains", tuple)
    with pytest.raises(UsageError, match="no installed package registers one"):
        chosen_domain(None)
    assert 2 == main(["train"])
    monkeypatch.setattr(registry, "domains", lambda: (HOUSES, LOANS))
    for name in (None, "cars"):
        with pytest.raises(UsageError, match="those that are registered: houses, loans"):
            chosen_domain(name)
    assert HOUSES is chosen_domain("houses")
    assert 2 == main(["train", "--domain", "houses", "--architecture", "lattice"])
    assert 2 == main(["tune", "--directory", "search"])
    assert "" == capsys.readouterr().out


@pytest.mark.usefixtures("both")
def test_the_flags_tell_of_all_domains(capsys: pytest.CaptureFixture[str]) -> None:
    """Help is there however many domains are."""
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    # Lines break at hyphens too.
    text = "".join(capsys.readouterr().out.split())
    assert "nameofthebundle(default:house-kind,orloan-grade)" in text
    assert "--architecture{study,residual,lattice,table,regressor}" in text
    assert "(default:10,000LendingClubloans)" in text


def test_a_domain_is_told_by_names_and_classes() -> None:
    """Aliases, titles and what training saw do not matter."""
    signature = inspect(SHIPPED).manifest.signature
    renamed = tuple(replace(feature, aliases=(), title="") for feature in signature.features)
    assert LOANS.has(Signature(renamed, signature.target))
