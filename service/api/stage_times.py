"""How long the stages of a request took, summed over its documents: the header `Server-Timing`."""

from dataclasses import dataclass, fields

from starlette.requests import Request

from service.inference.summarizer import Stages


@dataclass
class StageTimes:
    """Seconds in each stage; a batch's documents overlap, so the sum may exceed the wall time.

    Attributes:
        queue: waiting for a worker.
        encode: text to sentences and token ids.
        infer: the run of the model.
        explain: finding reasons; 0 without any.
    """

    queue: float = 0.0
    encode: float = 0.0
    infer: float = 0.0
    explain: float = 0.0

    def add(self, queue_s: float, stages: Stages) -> "StageTimes":
        """Add one document's times, and give them alone."""
        one = StageTimes(queue_s, stages.encode_s, stages.infer_s, stages.explain_s)
        for stage in fields(self):
            setattr(self, stage.name, getattr(self, stage.name) + getattr(one, stage.name))
        return one

    def items(self) -> list[tuple[str, float]]:
        """Give name and seconds of each stage that took place."""
        every = [(stage.name, getattr(self, stage.name)) for stage in fields(self)]
        return [(name, seconds) for name, seconds in every if name != "explain" or seconds]

    def __bool__(self) -> bool:
        """Tell whether any document has been worked on."""
        return self.infer > 0

    def server_timing(self) -> str:
        """Write the value of the header, in milliseconds: `queue;dur=0.1, encode;dur=2.3, …`.

        Source:
            W3C Server Timing.
        """
        return ", ".join(f"{name};dur={seconds * 1e3:.3f}" for name, seconds in self.items())


def stage_times_of(request: Request) -> StageTimes:
    """Give the times of a request, made when first asked for."""
    if not hasattr(request.state, "stage_times"):
        request.state.stage_times = StageTimes()
    times = request.state.stage_times
    assert isinstance(times, StageTimes), "nobody else uses that name"
    return times
