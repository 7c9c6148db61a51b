"""What can happen to locks and trees, as rules, and what must hold after each (`test_ports_machine.py`)."""

from __future__ import annotations

import itertools
import shutil
import signal
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from claims import dead_owner, port_record
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)
from lock_model import File, Life, Proc, leaders, surely_free, told_by, why_held
from lock_stage import Nursery, freeze, gone, kill

from supervisor.platform import os_facts
from supervisor.platform.contract import Owner
from supervisor.ports.lock import Busy, take
from supervisor.ports.probe import is_free
from supervisor.ports.prune import prune
from supervisor.records import encode, instance_file, port_file

PORTS = 3
NUMBERS = (1, 2)
LIVES = 3
PROCS = 9

T = TypeVar("T")
picks = st.integers(0, 11)
"""Which of those there are, counted round."""
ways = st.frozensets(st.sampled_from(["setsid", "close", "bare"]))
shedding = st.sampled_from([{"close"}, {"bare"}, {"close", "bare"}])
faults = st.sampled_from(
    ["delete", "truncate", "garbage", "replace by nothing", "replace by garbage", "replace by a copy"]
)
names = map("n{}".format, itertools.count())


def chosen(pick: int, among: Sequence[T]) -> T:
    return among[pick % len(among)]


class LockMachine(RuleBasedStateMachine):
    """Claims, trees, deaths, faults and prune; every step returns when its effect is there.

    Whatever a step asserts of an outcome comes from the model, kept by what was done, not by asking.
    """

    nursery: Nursery
    base: int
    counts: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.folder = self.nursery.folder / next(names)
        self.folder.mkdir(mode=0o1777)
        self.folder.chmod(0o1777)
        self.ports = [self.base + index for index in range(PORTS)]
        self.lives: list[Life] = []
        self.files: dict[Path, File] = {}
        """By path, what lies there."""
        self.counts["examples"] += 1

    def teardown(self) -> None:
        self.nursery.stage.clear()
        shutil.rmtree(self.folder)

    # What there is

    @property
    def there(self) -> list[File]:
        return list(self.files.values())

    @property
    def supervised(self) -> list[Life]:
        return [life for life in self.lives if life.supervised]

    @property
    def living(self) -> list[Proc]:
        return [proc for life in self.lives for proc in life.living]

    @property
    def drivable(self) -> list[tuple[Life, str]]:
        """Services with a port, of live supervisors."""
        return [(life, service) for life in self.supervised for service in life.claims]

    @property
    def paths(self) -> list[Path]:
        ports = [port_file(self.folder, port) for port in self.ports]
        return [*ports, *(self.number_path(number) for number in NUMBERS)]

    def number_path(self, number: int) -> Path:
        return instance_file(self.folder, self.base + 100 * number)

    def listeners(self, port: int) -> list[Proc]:
        return [proc for proc in self.living if port in proc.listening]

    def why_held(self, path: Path) -> str | None:
        return why_held(self.files.get(path), self.there)

    def surely_free(self, port: int) -> bool:
        return surely_free(self.files.get(port_file(self.folder, port))) and not self.listeners(port)

    # Claims

    @precondition(lambda self: len(self.supervised) < LIVES)
    @rule(number=st.sampled_from(NUMBERS), turn=st.integers(0, PORTS - 1), two=st.booleans())
    def claim(self, number: int, turn: int, two: bool) -> None:
        order = self.ports[turn:] + self.ports[:turn]
        wants = {"api": order, "web": order} if two else {"api": order}
        name = next(names)
        actor = self.nursery.start(self.folder, name)
        guard = os_facts.owner(actor.hello["guard"])
        assert guard is not None
        held = {path: self.why_held(path) for path in self.paths}
        free = sum(map(self.surely_free, self.ports))
        number_free = surely_free(self.files.get(self.number_path(number)))
        answer = actor.ask("claim", number, self.base + 100 * number, wants)
        if "exit_code" in answer:
            self.refused(answer, held, number_free and free >= len(wants))
            gone(actor.owner, guard)
            self.look_for_removed(held)
            return
        life = Life(name, File(self.number_path(number), None, None, True, True), actor, guard)
        life.services = tuple(wants)
        for port in answer.values():
            assert not self.listeners(port), f"{port} was given out, and somebody listens there"
        claims = {
            service: File(port_file(self.folder, port), port, life, True, True)
            for service, port in answer.items()
        }
        assert len({file.path for file in claims.values()}) == len(claims)
        life.number.holder = life
        life.claims = claims
        self.took(held, *life.files)
        self.lives.append(life)
        self.look_for_removed(held)
        self.counts["claims granted"] += 1

    def refused(self, answer: Any, held: dict[Path, str | None], must: bool) -> None:
        assert answer["exit_code"] in (69, 75), answer
        assert not must, f"refused in vain: {answer}"
        self.counts["claims refused"] += 1

    def took(self, held: dict[Path, str | None], *files: File) -> None:
        for file in files:
            assert held[file.path] is None, f"{file.path.name} was given out, told by {held[file.path]}"
            self.files[file.path] = file

    def look_for_removed(self, held: dict[Path, str | None]) -> None:
        """A claimer that found a listener has removed the file, which nobody held."""
        for path in [path for path in self.files if not path.exists()]:
            assert held[path] is None, f"{path.name}, told by {held[path]}, was removed"
            del self.files[path]

    @precondition(lambda self: any(set(life.services) - set(life.claims) for life in self.supervised))
    @rule(pick=picks, turn=st.integers(0, PORTS - 1))
    def claim_again(self, pick: int, turn: int) -> None:
        """A stopped service is started again."""
        life, service = chosen(
            pick,
            [
                (life, service)
                for life in self.supervised
                for service in life.services
                if service not in life.claims
            ],
        )
        order = self.ports[turn:] + self.ports[:turn]
        held = {path: self.why_held(path) for path in self.paths}
        must = any(map(self.surely_free, self.ports))
        answer = life.actor.ask("again", service, order)
        if isinstance(answer, dict):
            self.refused(answer, held, must)
        else:
            assert not self.listeners(answer)
            file = File(port_file(self.folder, answer), answer, life, True, True)
            self.took(held, file)
            life.claims[service] = file
        self.look_for_removed(held)

    @rule(pick=picks)
    def attempt(self, pick: int) -> None:
        """Somebody else claims a port, and gives it back."""
        port = chosen(pick, self.ports)
        path = port_file(self.folder, port)
        held = {path: self.why_held(path)}
        found = take(path)
        if isinstance(found, Busy):
            assert not surely_free(self.files.get(path)), found
            return
        free = is_free(port)
        found.give_back()
        assert held[path] is None, f"{port} was given out, told by {held[path]}"
        assert free == (not self.listeners(port))
        self.files.pop(path, None)

    # Trees

    @initialize(
        number=st.sampled_from(NUMBERS), two=st.booleans(), sheds=shedding, how=ways, orphaned=st.booleans()
    )
    def begin(self, number: int, two: bool, sheds: set[str], how: frozenset[str], orphaned: bool) -> None:
        """An instance with a tree, of which guard and supervisor may be dead already."""
        self.claim(number, 0, two)
        self.spawn(0)
        self.fork(0, how)
        self.shed(0, sheds)
        if orphaned:
            self.kill_both(0)

    @precondition(lambda self: self.drivable and len(self.living) < PROCS)
    @rule(pick=picks)
    def spawn(self, pick: int) -> None:
        life, service = chosen(pick, self.drivable)
        file = life.claims[service]
        name = next(names)
        before = [proc for proc in life.living if proc.service == service]
        pid = life.actor.ask("spawn", service, name)
        self.ended(before, sure=self.tellable(before, file))
        actor = self.nursery.stage.expect(name)
        assert actor.owner.pid == pid
        proc = Proc(name, actor, life, service, (file, life.number), True, True, None)
        proc.session = proc
        life.procs.append(proc)
        if file.linked:
            file.told, file.leader = True, proc

    def tellable(self, procs: Sequence[Proc], file: File) -> list[Proc]:
        """Those of a unit whom its supervisor knows whatever it has seen before."""
        return [
            proc
            for proc in procs
            if proc.holds or proc.marked or proc.session is not None or file.port in proc.listening
        ]

    def ended(self, procs: Sequence[Proc], *, sure: Sequence[Proc]) -> None:
        """The supervisor has ended `sure`, and of `procs` whom it knew."""
        left = [proc for proc in sure if os_facts.is_alive(proc.owner)]
        assert not left, f"outlived its unit: {left}"
        for proc in procs:
            proc.alive = os_facts.is_alive(proc.owner)

    @precondition(lambda self: self.living and len(self.living) < PROCS)
    @rule(pick=picks, how=ways)
    def fork(self, pick: int, how: frozenset[str]) -> None:
        parent = chosen(pick, self.living)
        name = next(names)
        parent.actor.tell("fork", name, sorted(how))
        child = Proc(
            name,
            self.nursery.stage.expect(name),
            parent.life,
            parent.service,
            parent.given,
            parent.holds,
            parent.marked,
            None if "setsid" in how else parent.session,
            set(parent.listening),
        )
        self.sheds(child, how)
        parent.life.procs.append(child)

    @precondition(lambda self: self.living)
    @rule(pick=picks, how=shedding)
    def shed(self, pick: int, how: set[str]) -> None:
        """It goes on without its descriptors, or without its environment."""
        proc = chosen(pick, self.living)
        proc.actor.tell("shed", proc.name, sorted(how))
        proc.actor = self.nursery.stage.expect(proc.name)
        self.sheds(proc, how)

    def sheds(self, proc: Proc, how: frozenset[str] | set[str]) -> None:
        proc.holds = proc.holds and "close" not in how
        proc.marked = proc.marked and "bare" not in how
        if how & {"close", "bare"}:
            proc.listening.clear()

    @precondition(lambda self: self.living)
    @rule(pick=picks)
    def listen(self, pick: int) -> None:
        proc = chosen(pick, self.living)
        port = proc.given[0].port
        assert port is not None
        others = self.listeners(port)
        if proc.actor.ask("listen", port):
            assert not others
            proc.listening.add(port)

    @precondition(lambda self: self.living)
    @rule(pick=picks, killed=st.booleans())
    def end_process(self, pick: int, killed: bool) -> None:
        """By itself, or by SIGKILL."""
        proc = chosen(pick, self.living)
        if killed:
            kill(proc.owner)
        else:
            proc.actor.tell("exit", 0)
            gone(proc.owner)
        proc.alive = False

    @precondition(lambda self: self.supervised)
    @rule(pick=picks)
    def supervisor_looks(self, pick: int) -> None:
        """It sees exactly its tree."""
        life = chosen(pick, self.supervised)
        assert life.actor.ask("see") == sorted(proc.owner.pid for proc in life.living)

    # Ends

    @precondition(lambda self: self.drivable)
    @rule(pick=picks)
    def stop(self, pick: int) -> None:
        life, service = chosen(pick, self.drivable)
        assert life.actor.ask("stop", service) == "stopped"
        self.stopped(life, service)

    def stopped(self, life: Life, service: str) -> None:
        file = life.claims.pop(service)
        before = [proc for proc in life.living if proc.service == service]
        self.ended(before, sure=self.tellable(before, file))
        self.given_back(file)

    def given_back(self, file: File) -> None:
        assert file.path.exists() == (file.path in self.files and not file.linked)
        if file.linked:
            del self.files[file.path]

    @precondition(lambda self: self.drivable)
    @rule(pick=picks)
    def shield_looks(self, pick: int) -> None:
        """A lock that was taken away is noticed; the child is stopped."""
        life, service = chosen(pick, self.drivable)
        file = life.claims[service]
        assert file.port is not None
        strangers = [proc for proc in self.listeners(file.port) if proc.life is not life]
        state = life.actor.ask("look", service)
        if strangers or not (file.linked and file.told):
            assert state == "lost"
        elif not self.listeners(file.port):
            assert state == "up"
        if state == "lost":
            self.stopped(life, service)
            self.counts["shields lost"] += 1

    @precondition(lambda self: self.supervised)
    @rule(pick=picks, how=st.sampled_from(["orderly", "kill guard", "kill supervisor"]))
    def end(self, pick: int, how: str) -> None:
        life = chosen(pick, self.supervised)
        self.counts[f"ends: {how}"] += 1
        if how == "orderly":
            os_facts.send_signal(life.guard, signal.SIGTERM)
            self.stopped_orderly(life)
        elif how == "kill guard":
            kill(life.guard)
            self.stopped_orderly(life)
        else:
            kill(life.actor.owner)
            self.swept(life)

    def stopped_orderly(self, life: Life) -> None:
        """By the supervisor: after its guard's death too."""
        gone(life.guard, life.actor.owner)
        held = life.files
        life.supervised = False
        self.ended(life.living, sure=life.living)
        for file in held:
            self.given_back(file)

    def swept(self, life: Life) -> None:
        """By the guard: the tree is gone, and so are the locks."""
        gone(life.guard)
        life.supervised = False
        self.ended(life.living, sure=life.living)
        for path, file in list(self.files.items()):
            if file.holder is life or self.is_empty(file):
                assert not path.exists(), f"the guard left {path.name}"
                del self.files[path]

    def is_empty(self, file: File) -> bool:
        """No record stands in it, and nobody holds it."""
        return not file.told and not self.is_locked(file)

    def is_locked(self, file: File) -> bool:
        if file.holder is None or not file.linked:
            return False
        heirs = [proc for proc in file.holder.living if proc.holds and file in proc.given]
        return file in file.holder.files or bool(heirs)

    @precondition(lambda self: self.supervised)
    @rule(pick=picks)
    def kill_both(self, pick: int) -> None:
        """Guard and supervisor at once: nobody is left who would end the tree."""
        life = chosen(pick, self.supervised)
        freeze(life.guard)
        kill(life.actor.owner)
        kill(life.guard)
        life.supervised = False
        self.counts["both killed"] += 1

    # Faults in the folder

    @precondition(lambda self: self.files)
    @rule(pick=picks, fault=faults)
    def spoil(self, pick: int, fault: str) -> None:
        path = chosen(pick, sorted(self.files))
        file = self.files[path]
        if fault == "delete":
            path.unlink()
        elif fault in ("truncate", "garbage"):
            path.write_bytes(b"" if fault == "truncate" else b"{torn")
            file.told = False
            file.leader = None
        else:
            content = {"nothing": b"", "garbage": b"\0\xff", "a copy": path.read_bytes()}
            new = self.folder / "new"
            new.write_bytes(content[fault.removeprefix("replace by ")])
            new.rename(path)
        if fault not in ("truncate", "garbage"):
            file.linked = False
        if fault == "delete":
            file.told = False
            del self.files[path]
        elif fault in ("replace by nothing", "replace by garbage"):
            file.told = False
            self.files[path] = File(path, file.port, None, False, False)
        self.counts[f"files: {fault}"] += 1

    @precondition(lambda self: any(port_file(self.folder, port) not in self.files for port in self.ports))
    @rule(pick=picks, child=st.booleans())
    def plant(self, pick: int, child: bool) -> None:
        """A stale record whose pids mean a bystander now."""
        port = chosen(pick, [port for port in self.ports if port_file(self.folder, port) not in self.files])
        path = port_file(self.folder, port)
        bystander = self.nursery.bystander
        before = Owner(bystander.pid, bystander.started - 1)
        supervisor = dead_owner() if child else before
        record = port_record(port, supervisor=supervisor, child=before, instance_id=next(names))
        path.write_bytes(encode(record))
        self.files[path] = File(path, port, None, False, True)

    # Prune

    @rule()
    def prune(self) -> None:
        before = self.living
        must_end = [proc for proc in before if self.is_proven(proc)]
        may_end = [proc for proc in before if self.is_told(proc)]
        done = prune(self.folder)
        for proc in before:
            proc.alive = os_facts.is_alive(proc.owner)
        assert not [proc for proc in must_end if proc.alive], done
        assert not [proc for proc in before if not proc.alive and proc not in may_end], done
        self.counts["processes pruned"] += len(before) - len(self.living)
        for path in self.paths:
            self.pruned(path, done)

    def is_told(self, proc: Proc) -> bool:
        """Left over from a dead supervisor, and told by any of its instance's files."""
        if proc.life.supervised:
            return False
        there = [file for file in self.there if file.holder is proc.life and file.told]
        return any(
            proc.marked or told_by(proc, file, there) or proc.session in leaders(file, there)
            for file in there
        )

    def is_proven(self, proc: Proc) -> bool:
        """The same, and not only by a session whose first process is gone."""
        if not self.is_told(proc):
            return False
        there = [file for file in self.there if file.holder is proc.life and file.told]
        return (
            proc.marked
            or any(told_by(proc, file, there) == "descriptor" for file in there)
            or (proc.session is not None and proc.session.alive)
        )

    def pruned(self, path: Path, done: object) -> None:
        file = self.files.get(path)
        stays = file is not None and self.outlasts_prune(file)
        assert path.exists() == stays, (path.name, stays, done)
        if file is not None and not stays:
            del self.files[path]

    def outlasts_prune(self, file: File) -> bool:
        life = file.holder
        if self.is_locked(file):
            return True
        if life is None or not file.told:
            return False
        if life.supervised:
            return True
        there = leaders(file, self.there)
        return any(
            proc.marked or proc.session in there for proc in life.living if proc.session or proc.marked
        )

    @rule()
    def prune_dry(self) -> None:
        """Changes nothing."""
        prune(self.folder, dry_run=True)

    # After every step

    @invariant()
    def nobody_else_was_touched(self) -> None:
        self.counts["steps"] += 1
        assert os_facts.is_alive(self.nursery.bystander)
        for life in self.supervised:
            assert os_facts.is_alive(life.guard) and os_facts.is_alive(life.actor.owner)
        assert not [proc for proc in self.living if not os_facts.is_alive(proc.owner)]

    @invariant()
    def one_holder(self) -> None:
        """Every supervisor knows which of its locks are intact, and no lock is two supervisors'."""
        intact: list[str] = []
        for life in self.supervised:
            answer = life.actor.ask("intact")
            wanted = {file.path.name: file.linked and file.told for file in life.files}
            assert {name: problem is None for name, problem in answer.items()} == wanted, answer
            intact += [name for name, problem in answer.items() if problem is None]
        assert len(intact) == len(set(intact))

    @invariant()
    def nothing_told_is_given_out(self) -> None:
        assert {path for path in self.paths if path.exists()} == set(self.files)
        for path in self.paths:
            why = self.why_held(path)
            if why is not None:
                self.counts[f"held by {why}"] += 1
                found = take(path)
                assert isinstance(found, Busy), f"{path.name} was given out, told by {why}"
