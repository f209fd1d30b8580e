"""Objects from configurations: whom a `_target_` may name, and what is said about parameters that are wrong."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import pytest

from sim.core.build import Trust, build, check_arguments, check_type, resolve
from sim.core.errors import ConfigError
from sim.platform.platform import Platform
from sim.platform.startup import Choose, PhasedStart, StartModel
from sim.policies import FixedWindow, KeepAlive

if TYPE_CHECKING:
    from decimal import Decimal

NOBODY = Trust()
HERE = Trust((__name__,))


@dataclass(frozen=True)
class Leaf:
    weight: float
    label: str = "leaf"

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ConfigError("weight must be >= 0")
        if self.weight == 7:
            raise ValueError("sevens are bad luck")


@dataclass(frozen=True)
class Tree:
    leaves: Sequence[Leaf] = ()
    by_name: Mapping[str, Leaf] | None = None


@dataclass(frozen=True)
class Many:
    number: float = 0.0
    count: int = 0
    flag: bool = False
    word: str = "w"
    maybe: float | None = None
    kind: Literal["a", "b", 3] = "a"
    numbers: Sequence[float] = ()
    pair: tuple[int, str] = (1, "x")
    row: tuple[float, ...] = ()
    table: Mapping[str, Sequence[int]] | None = None
    bare: list = ()  # type: ignore[type-arg,assignment]
    anything: Any = None


class Open:
    def __init__(self, first: int, **others: int) -> None:
        self.first, self.others = first, others


class Untyped:
    def __init__(self, first, second=2) -> None:
        self.first, self.second = first, second


class OnlyForCheckers:
    def __init__(self, amount: "Decimal") -> None:
        self.amount = amount


def of(cls: type, **parameters: object) -> dict[str, object]:
    return {"_target_": f"{__name__}.{cls.__name__}", **parameters}


def package(folder: Path, name: str, **modules: str) -> None:
    """A package on disk that leaves a file behind when it is imported."""
    (folder / name).mkdir()
    mark = f"import pathlib\npathlib.Path({str(folder)!r}, {name + '.imported'!r}).touch()\n"
    (folder / name / "__init__.py").write_text(mark)
    for module, source in modules.items():
        (folder / name / f"{module}.py").write_text(source)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on sys.path; what is imported from it is forgotten again."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "modules", sys.modules.copy())
    return tmp_path


POLICY = """
from dataclasses import dataclass
from sim.policies import KeepAlive, FixedWindow as Theirs

@dataclass(frozen=True)
class Double(KeepAlive):
    window_s: float = 1.0

    def windows_s(self, future):
        return 2 * self.window_s

    class Inner(Theirs):
        pass
"""

# Nested targets


def test_a_target_becomes_an_instance() -> None:
    assert build({"_target_": "sim.policies.FixedWindow", "window_s": 60}, "p", KeepAlive, NOBODY) == FixedWindow(60)


def test_targets_nest_in_mappings_and_lists() -> None:
    node = of(Tree, leaves=[of(Leaf, weight=1), of(Leaf, weight=2.5, label="b")], by_name={"x": of(Leaf, weight=3)})
    assert build(node, "t", Tree, HERE) == Tree((Leaf(1), Leaf(2.5, "b")), {"x": Leaf(3)})


def test_targets_nest_in_one_another() -> None:
    inner = {"_target_": "sim.core.distributions.LogNormal", "median": 1, "p99": 2}
    choose = {"_target_": "sim.platform.startup.Choose", "column": "vpc", "cases": {"true": inner, "false": 0}}
    start = {"_target_": "sim.platform.PhasedStart", "phases": {"network": choose}}
    platform = build({"_target_": "sim.platform.Platform", "start": start}, "platform", Platform, NOBODY)
    assert isinstance(platform.start, PhasedStart)
    assert isinstance(platform.start.phases["network"], Choose)


def test_lists_become_tuples_so_that_values_stay_values() -> None:
    built = build(of(Many, numbers=[1, 2], table={"a": [1]}), "m", Many, HERE)
    assert (built.numbers, built.table) == ((1, 2), {"a": (1,)})


# Trust


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("os.system", "os.system is not trusted"),
        ("builtins.eval", "builtins.eval is not trusted"),
        ("simulator.X", "simulator.X is not trusted"),
        ("sim_evil.X", "sim_evil.X is not trusted"),
        ("simpy.Environment", "simpy.Environment is not trusted"),
        ("FixedWindow", "FixedWindow is not trusted"),
        ("sim.cli.Path", "sim.cli.Path is pathlib.Path, which is not trusted"),
        ("sim.cli.sys.exit", "sim.cli.sys.exit is sys, which is not trusted"),
        ("sim.cli.Path.write_text", "not a class"),
        ("sim.platform.startup.models.ABC", "sim.platform.startup.models.ABC is abc.ABC, which is not trusted"),
        ("sim.results.metrics.pd.DataFrame", "is pandas, which is not trusted"),
        ("sim.api.simulate", "sim.api.simulate is not a class"),
        ("sim.policies", "sim.policies is not a class"),
        ("sim.policies.FixedWindow.windows_s", "not a class"),
        ("sim.__version__.X", "there is no sim.__version__.X"),
        ("sim.policies.Fixed", "sim.policies has no Fixed"),
        ("sim.nowhere.Fixed", "sim has no nowhere"),
        ("sim.policies.FixedWindow.nothing", "has no nothing"),
    ],
)
def test_targets_that_are_refused(target: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"^policies\.mine: ") as error:
        build({"_target_": target}, "policies.mine", KeepAlive, NOBODY)
    assert words in str(error.value)


@pytest.mark.parametrize(
    "target", [None, "", 5, True, ["sim"], {"a": 1}, "sim..policies", "sim.policies.FixedWindow()", " sim.api", "sim.",
               "${oc.env:HOME}", "sim/policies", "sim.policies:FixedWindow"]
)  # fmt: skip
def test_a_target_is_a_dotted_name(target: object) -> None:
    with pytest.raises(ConfigError, match="must be the dotted name of a class"):
        build({"_target_": target}, "x", object, NOBODY)


@pytest.mark.parametrize("node", [None, "", 5, [], "sim.policies.FixedWindow", {}, {"window_s": 1}])
def test_a_node_is_a_mapping_with_a_target(node: object) -> None:
    with pytest.raises(ConfigError, match=r"^policies\.a: expected a mapping with _target_, got "):
        build(node, "policies.a", KeepAlive, NOBODY)


def test_a_message_shows_no_more_than_the_beginning_of_a_value() -> None:
    with pytest.raises(ConfigError) as error:
        build({"phases": {str(i): i for i in range(1000)}}, "platform", Platform, NOBODY)
    assert len(str(error.value)) < 200


@pytest.mark.parametrize("deep", [False, True])
def test_nothing_untrusted_is_imported(packages: Path, deep: bool) -> None:
    package(packages, "landmine", rules=POLICY)
    target = {"_target_": "landmine.rules.Double"}
    node = of(Tree, leaves=[of(Leaf, weight=1), target]) if deep else target
    with pytest.raises(ConfigError, match=r"landmine\.rules\.Double is not trusted: .* --trust landmine or KEEPWARM"):
        build(node, "x", object, HERE)
    assert "landmine" not in sys.modules
    assert not (packages / "landmine.imported").exists()


def test_a_module_that_a_trusted_one_imports_is_not_asked_for_its_parts(packages: Path) -> None:
    package(packages, "lazy", parts="class X: pass")
    with (packages / "lazy" / "__init__.py").open("a") as file:
        file.write("def __getattr__(name):\n    import importlib\n    return importlib.import_module('lazy.' + name)\n")
    package(packages, "mine", rules="import lazy")
    with pytest.raises(ConfigError, match="is lazy, which is not trusted"):
        resolve("mine.rules.lazy.parts.X", "x", Trust(("mine",)))
    assert "lazy.parts" not in sys.modules


def test_a_trusted_package_may_be_named_with_its_modules_and_nested_classes(packages: Path) -> None:
    package(packages, "mine", rules=POLICY)
    trust = Trust(("mine",))
    policy = build({"_target_": "mine.rules.Double", "window_s": 3.0}, "p", KeepAlive, trust)
    assert policy.windows_s(None) == 6.0
    assert build({"_target_": "mine.rules.Double.Inner"}, "p", KeepAlive, trust) == type(policy).Inner()
    assert build({"_target_": "mine.rules.Theirs"}, "p", KeepAlive, trust) == FixedWindow()


def test_trust_in_a_module_is_no_trust_in_its_package(packages: Path) -> None:
    package(packages, "mine", rules=POLICY, other=POLICY)
    assert resolve("mine.rules.Double", "x", Trust(("mine.rules",))).__name__ == "Double"
    with pytest.raises(ConfigError, match=r"mine\.other\.Double is not trusted"):
        resolve("mine.other.Double", "x", Trust(("mine.rules",)))


def test_a_name_that_begins_like_a_trusted_one_is_not_trusted(packages: Path) -> None:
    package(packages, "mine_evil", rules=POLICY)
    with pytest.raises(ConfigError, match="not trusted"):
        resolve("mine_evil.rules.Double", "x", Trust(("mine",)))
    assert not (packages / "mine_evil.imported").exists()


def test_a_class_that_a_trusted_package_imports_must_be_trusted_itself(packages: Path) -> None:
    package(packages, "elsewhere", rules=POLICY)
    package(packages, "mine", rules="from elsewhere.rules import Double")
    with pytest.raises(ConfigError, match=r"mine\.rules\.Double is elsewhere\.rules\.Double, which is not trusted"):
        resolve("mine.rules.Double", "x", Trust(("mine",)))
    assert resolve("mine.rules.Double", "x", Trust(("mine", "elsewhere"))).__module__ == "elsewhere.rules"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("import not_installed_anywhere", "importing mine.rules fails: No module named 'not_installed_anywhere'"),
        ("import mine.absent", "importing mine.rules fails: No module named 'mine.absent'"),
        ("1 / 0", "importing mine.rules fails: division by zero"),
        ("def", "importing mine.rules fails: invalid syntax"),
    ],
)
def test_a_package_that_cannot_be_imported(packages: Path, source: str, words: str) -> None:
    package(packages, "mine", rules=source)
    with pytest.raises(ConfigError, match=r"^p: ") as error:
        resolve("mine.rules.Double", "p", Trust(("mine",)))
    assert words in str(error.value)


def test_a_trusted_package_that_is_not_there() -> None:
    with pytest.raises(ConfigError, match=r"there is no nowhere_at_all\.X: no module nowhere_at_all is installed"):
        resolve("nowhere_at_all.X", "p", Trust(("nowhere_at_all",)))


# Roles


@pytest.mark.parametrize(
    ("target", "parameters"),
    [
        ("sim.core.distributions.LogNormal", {"median": 1.0, "p99": 2.0}),
        ("sim.results.pricing.ProviderPrice",
         {"name": "n", "source": "s", "date": "d", "node_usd_per_hour": 1, "node_gb": 1, "utilisation": 1}),
        ("sim.core.build.Trust", {}),
    ],
)  # fmt: skip
def test_an_object_of_another_role_is_refused(target: str, parameters: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=rf"^policies\.x: {target} is not a KeepAlive"):
        build({"_target_": target, **parameters}, "policies.x", KeepAlive, NOBODY)


def test_a_role_is_nothing_to_build() -> None:
    with pytest.raises(ConfigError, match=r"^platform\.start: .* abstract class StartModel"):
        build({"_target_": "sim.platform.startup.StartModel"}, "platform.start", StartModel, NOBODY)


def test_a_class_without_a_signature_is_refused() -> None:
    with pytest.raises(ConfigError, match="ConfigError does not say which parameters it takes"):
        build({"_target_": "sim.core.errors.ConfigError"}, "policies.x", KeepAlive, NOBODY)


# Parameters


@pytest.mark.parametrize(
    ("node", "message"),
    [
        (of(Leaf), "t: weight must be given"),
        (of(Leaf, weight=1, wait=2), "t.wait: there is no such parameter; there is weight, label"),
        (of(Leaf, weight=1, _partial_=True), "t._partial_: there is no such parameter; there is weight, label"),
        (of(Leaf, weight=1, _args_=[1]), "t._args_: there is no such parameter; there is weight, label"),
        (of(Leaf, weight="abc"), "t.weight: expected a number, got 'abc'"),
        (of(Leaf, weight=""), "t.weight: expected a number, got nothing"),
        (of(Leaf, weight=None), "t.weight: expected a number, got nothing"),
        (of(Leaf, weight=True), "t.weight: expected a number, got True"),
        (of(Leaf, weight=[1.0]), "t.weight: expected a number, got (1.0,)"),
        (of(Leaf, weight=1, label=5), "t.label: expected text, got 5"),
        (of(Leaf, weight=1, label=None), "t.label: expected text, got nothing"),
        (of(Leaf, weight=-1), "t: weight must be >= 0"),
        (of(Leaf, weight=7), f"t: {__name__}.Leaf refuses these parameters: sevens are bad luck"),
        (of(Tree, leaves=[of(Leaf, weight=1), of(Leaf, weight="x")]), "t.leaves[1].weight: expected a number, got 'x'"),
        (of(Tree, leaves=[of(Leaf, weight=1), of(Leaf)]), "t.leaves[1]: weight must be given"),
        (of(Tree, leaves=[of(Leaf, weight=1), 5]), "t.leaves[1]: expected Leaf, got 5"),
        (of(Tree, leaves=of(Leaf, weight=1)), "t.leaves: expected a list, got Leaf(weight=1, label='leaf')"),
        (of(Tree, by_name={"a": of(Leaf, weight=-2)}), "t.by_name.a: weight must be >= 0"),
        (of(Tree, by_name={"a": of(Leaf, weight=1), "b": None}), "t.by_name.b: expected Leaf, got nothing"),
        (of(Tree, by_name=[1]), "t.by_name: expected a mapping or null, got (1,)"),
        ({"_target_": "sim.policies.KeepForever", "window_s": 1},
         "t.window_s: there is no such parameter; there is none"),
        (of(Open), "t: first must be given"),
        (of(Untyped), "t: first must be given"),
    ],
)  # fmt: skip
def test_messages_name_the_place_and_what_belongs_there(node: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(node, "t", object, HERE)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("parameters"),
    [
        {"number": 1}, {"number": 1.5}, {"number": float("inf")}, {"count": -3}, {"flag": True}, {"word": ""},
        {"maybe": None}, {"maybe": 2}, {"kind": "b"}, {"kind": 3}, {"numbers": []}, {"numbers": [1, 2.5]},
        {"pair": [2, "y"]}, {"row": [1, 2, 3]}, {"table": {}}, {"table": {"a": [1, 2], "b": []}}, {"table": None},
        {"bare": [1, "a"]}, {"anything": {"a": [1]}}, {"anything": None},
    ],
)  # fmt: skip
def test_values_that_fit(parameters: dict[str, object]) -> None:
    build(of(Many, **parameters), "m", Many, HERE)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"number": "1"}, "m.number: expected a number, got '1'"),
        ({"count": 1.0}, "m.count: expected a whole number, got 1.0"),
        ({"count": False}, "m.count: expected a whole number, got False"),
        ({"flag": 1}, "m.flag: expected true or false, got 1"),
        ({"flag": "true"}, "m.flag: expected true or false, got 'true'"),
        ({"word": 1}, "m.word: expected text, got 1"),
        ({"maybe": "x"}, "m.maybe: expected a number or null, got 'x'"),
        ({"maybe": ""}, "m.maybe: expected a number or null, got nothing"),
        ({"kind": "c"}, "m.kind: expected 'a' or 'b' or 3, got 'c'"),
        ({"kind": ""}, "m.kind: expected 'a' or 'b' or 3, got nothing"),
        ({"kind": 3.0}, "m.kind: expected 'a' or 'b' or 3, got 3.0"),
        ({"numbers": 1.0}, "m.numbers: expected a list, got 1.0"),
        ({"numbers": "1,2"}, "m.numbers: expected a list, got '1,2'"),
        ({"numbers": [1, "x", 2]}, "m.numbers[1]: expected a number, got 'x'"),
        ({"numbers": [[1]]}, "m.numbers[0]: expected a number, got (1,)"),
        ({"pair": [1]}, "m.pair: expected a list, got (1,)"),
        ({"pair": ["y", 2]}, "m.pair: expected a list, got ('y', 2)"),
        ({"row": [1, None]}, "m.row[1]: expected a number, got nothing"),
        ({"table": {"a": [1], "b": [1, 2.5]}}, "m.table.b[1]: expected a whole number, got 2.5"),
        ({"table": {"a": 1}}, "m.table.a: expected a list, got 1"),
        ({"bare": "abc"}, "m.bare: expected a list, got 'abc'"),
    ],
)
def test_values_that_do_not_fit(parameters: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as error:
        build(of(Many, **parameters), "m", Many, HERE)
    assert str(error.value) == message


def test_a_type_that_is_known_to_a_type_checker_only_is_left_to_the_class() -> None:
    assert build(of(OnlyForCheckers, amount="1.5"), "x", OnlyForCheckers, HERE).amount == "1.5"


def test_type_variables_and_unannotated_parameters_take_anything() -> None:
    check_type("x", TypeVar("T"), "a")
    assert build(of(Untyped, first=[1]), "x", Untyped, HERE).first == (1,)


def test_open_ended_parameters_are_taken() -> None:
    assert build(of(Open, first=1, second=2), "x", Open, HERE).others == {"second": 2}


def test_arguments_of_a_function_after_its_first() -> None:
    def read(path: str, days: Sequence[int] | None = None) -> None: ...

    check_arguments(read, {"days": (1, 2)}, "workload", skip=1)
    with pytest.raises(ConfigError, match=r"workload\.path: there is no such parameter; there is days"):
        check_arguments(read, {"path": "x"}, "workload", skip=1)
    with pytest.raises(ConfigError, match=r"workload\.days\[0\]: expected a whole number, got 1\.5"):
        check_arguments(read, {"days": (1.5,)}, "workload", skip=1)
