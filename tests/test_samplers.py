"""Samplers against k-diffusion's, diffusers' DDIM and a case with a known solution."""

import importlib.util
import math
import sys
from types import ModuleType

import pytest
import torch

from loramake.denoising import guide, make_denoiser, seeded_noise
from loramake.errors import UserError
from loramake.samplernames import DEFAULT_ETA, check_sampler, resolve_eta
from loramake.samplers import SAMPLERS, find_sampler, sample
from loramake.sigmas import sigma_to_timestep, timestep_to_sigma, training_sigmas

SHAPE = (4, 4, 6)


def alphas() -> torch.Tensor:
    return 1 / (1 + training_sigmas() ** 2)


def small_model(x: torch.Tensor, timestep: float, step: int) -> torch.Tensor:
    """A smooth, non-linear stand-in for a U-Net."""
    return torch.tanh(x * 1.3 + math.sin(timestep / 300)) * 0.8 + x.roll(1, -1) * 0.2


def draw(name: str, steps: int, predict=small_model, eta: str | float = "auto") -> torch.Tensor:
    noise = seeded_noise([1, 2], SHAPE)
    denoise = make_denoiser(predict, "epsilon")
    return sample(SAMPLERS[name], denoise, noise(), steps, noise, resolve_eta(name, eta))


@pytest.fixture()
def k_diffusion(monkeypatch):
    """k-diffusion's sampling and external modules, without the packages that they do not need here."""
    spec = importlib.util.find_spec("k_diffusion")
    if spec is None:
        pytest.skip("k-diffusion is not installed (pip install --no-deps k-diffusion)")
    pytest.importorskip("scipy", reason="k-diffusion's sampling module needs scipy")
    package = ModuleType("k_diffusion")
    package.__path__ = list(spec.submodule_search_locations)
    monkeypatch.setitem(sys.modules, "k_diffusion", package)
    stubs = {"torchdiffeq": ["odeint"], "torchsde": [], "torchvision": ["transforms"]}
    stubs |= {"torchvision.transforms": ["functional"]}
    for name, attributes in stubs.items():
        stub = ModuleType(name)
        for attribute in attributes:
            setattr(stub, attribute, None)
        monkeypatch.setitem(sys.modules, name, stub)
    for name in ("utils", "sampling", "external"):
        monkeypatch.delitem(sys.modules, f"k_diffusion.{name}", raising=False)
    from k_diffusion import external, sampling

    yield external, sampling
    for name in ("utils", "sampling", "external"):
        sys.modules.pop(f"k_diffusion.{name}", None)


class KModel:
    """The small model as k-diffusion's wrappers call it."""

    def __call__(self, x, timesteps, **_):
        return small_model(x, float(timesteps[0]), 0)


K_FUNCTIONS = {
    "Euler": "sample_euler",
    "Euler a": "sample_euler_ancestral",
    "LMS": "sample_lms",
    "Heun": "sample_heun",
    "DPM++ 2M": "sample_dpmpp_2m",
    "DPM++ 2M Karras": "sample_dpmpp_2m",
    "DPM++ SDE": "sample_dpmpp_sde",
    "DPM++ SDE Karras": "sample_dpmpp_sde",
}


class PathNoise:
    """k-diffusion's noise sampler on the Brownian path that the same unit normals make, drawn as it is walked."""

    def __init__(self, noise):
        self.noise, self.start = noise, None

    def __call__(self, sigma, sigma_next):
        if self.start != float(sigma):  # a new step: its first part
            self.start, self.middle, self.first = float(sigma), float(sigma_next), self.noise()
            return self.first
        near, far = self.start - self.middle, self.middle - float(sigma_next)
        return (self.first * near**0.5 + self.noise() * far**0.5) / (near + far) ** 0.5


@pytest.mark.parametrize("steps", [1, 2, 5, 12, 28])
@pytest.mark.parametrize(
    ("name", "eta"),
    [(name, eta) for name in K_FUNCTIONS for eta in ([None] if DEFAULT_ETA[name] is None else [1.0, 0.4])],
)
def test_same_latents_as_k_diffusion(k_diffusion, name, eta, steps):
    external, sampling = k_diffusion

    class Wrapped(external.DiscreteEpsDDPMDenoiser):
        def get_eps(self, *args, **kwargs):
            return self.inner_model(*args, **kwargs)

    wrapper = Wrapped.__new__(Wrapped)
    torch.nn.Module.__init__(wrapper)
    external.DiscreteEpsDDPMDenoiser.__init__(wrapper, KModel(), alphas().float(), quantize=False)
    if name.endswith("Karras"):
        sigmas = sampling.get_sigmas_karras(steps, wrapper.sigmas[0].item(), wrapper.sigmas[-1].item())
    else:
        sigmas = wrapper.get_sigmas(steps)
    noise = seeded_noise([1, 2], SHAPE)
    start = noise() * sigmas[0]
    extra = {}
    if eta is not None:
        path = PathNoise(noise)
        extra = {"eta": eta, "noise_sampler": path if "SDE" in name else lambda sigma, sigma_next: noise()}
    expected = getattr(sampling, K_FUNCTIONS[name])(wrapper, start, sigmas, disable=True, **extra)
    assert (draw(name, steps, eta=eta or "auto") - expected).abs().max() < 1e-3


def test_brownian_path_has_the_right_variances():
    """Over the middle and over the whole step: unit normals, correlated by the share of variance they have in common."""
    noise, calls = seeded_noise([7], (200_000,)), []

    def spy():
        calls.append(noise())
        return calls[-1]

    # a model that is always right at 0 leaves the noise alone in x
    x = SAMPLERS["DPM++ SDE"].integrate(lambda x, sigma, step: x * 0, torch.zeros(1, 200_000), [4.0, 1.0], spy, 1.0)
    target, middle, up = 1.0, 2.0, (1.0 * (16 - 1) / 16) ** 0.5
    assert len(calls) == 2 and float(x.std()) == pytest.approx(up, rel=0.01)
    common = float((x / up * calls[0]).mean())
    assert common == pytest.approx(((4 - middle) / (4 - target)) ** 0.5, abs=0.01)


DIFFUSION = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}


def walk(scheduler, steps: int, **extra) -> torch.Tensor:
    """The small model's latents by one of diffusers' schedulers."""
    scheduler.set_timesteps(steps)
    noise = seeded_noise([1, 2], SHAPE)
    x = noise()
    for timestep in scheduler.timesteps:
        output = small_model(x, float(timestep), 0)
        own = {"variance_noise": noise()} if extra.get("eta") else {}
        x = scheduler.step(output, timestep, x, **extra, **own).prev_sample
    return x


@pytest.mark.parametrize("eta", [0.0, 0.6])
@pytest.mark.parametrize("steps", [5, 12, 28])
def test_ddim_is_diffusers_ddim(steps, eta):
    diffusers = pytest.importorskip("diffusers", reason="compared with diffusers' scheduler")
    scheduler = diffusers.DDIMScheduler(**DIFFUSION, clip_sample=False, set_alpha_to_one=False, steps_offset=1)
    assert (draw("DDIM", steps, eta=eta) - walk(scheduler, steps, eta=eta)).abs().max() < 1e-3


@pytest.mark.parametrize("steps", [1, 3, 9, 27, 37])
def test_unipc_is_diffusers_unipc(steps):
    """With numbers of steps that divide 999: diffusers rounds timesteps to whole ones, the webui does not."""
    diffusers = pytest.importorskip("diffusers", reason="compared with diffusers' scheduler")
    scheduler = diffusers.UniPCMultistepScheduler(
        **DIFFUSION, solver_order=3, solver_type="bh1", timestep_spacing="linspace", final_sigmas_type="sigma_min"
    )
    assert (draw("UniPC", steps) - walk(scheduler, steps)).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("Euler", 0.02),
        ("Heun", 0.005),
        ("LMS", 0.005),
        ("DPM++ 2M", 0.01),
        ("DPM++ 2M Karras", 0.005),
        ("DDIM", 0.03),
        ("UniPC", 0.01),
    ],
)
@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
def test_gaussian_data_has_a_known_solution(name, tolerance, prediction_type):
    """For data N(mean, deviation²) the ideal prediction is known, and the ODE carries noise z to mean + deviation·z."""
    mean, deviation = 0.7, 0.5
    table = training_sigmas()

    def ideal(x, timestep, step):
        sigma = float(timestep_to_sigma(torch.tensor(timestep, dtype=torch.float64), table))
        scaled = x * math.hypot(1, sigma)
        x0 = mean + (scaled - mean) * deviation**2 / (deviation**2 + sigma**2)
        eps = (scaled - x0) / sigma
        return eps if prediction_type == "epsilon" else (eps - sigma * x0) / math.hypot(1, sigma)

    noise = seeded_noise([3], SHAPE)()
    first = float(table[-1])
    # the start is noise·sigma_max rather than a draw from the marginal
    exact = mean + (noise * first - mean) * deviation / math.hypot(deviation, first)
    drawn = sample(SAMPLERS[name], make_denoiser(ideal, prediction_type), noise, 200, lambda: noise, 0.0)
    assert (drawn - exact).abs().max() < tolerance * 3
    assert (drawn - exact).abs().mean() < tolerance


@pytest.mark.parametrize("name", ["Euler a", "DPM++ SDE", "DPM++ SDE Karras"])
def test_fresh_noise_keeps_the_variance_of_the_data(name):
    def ideal(x, timestep, step):  # data N(0, 1): eps = sigma·x_scaled / sqrt(1 + sigma²)
        sigma = float(timestep_to_sigma(torch.tensor(timestep, dtype=torch.float64), training_sigmas()))
        return x * sigma / math.hypot(1, sigma)

    noise = seeded_noise(range(8), (4, 32, 32))
    drawn = sample(SAMPLERS[name], make_denoiser(ideal, "epsilon"), noise(), 240, noise, 1.0)
    assert abs(float(drawn.std()) - 1) < 0.02


def test_timesteps_and_sigmas_are_inverse():
    table = training_sigmas()
    for timestep in [0.0, 0.25, 1.0, 17.5, 500.0, 998.9, 999.0]:
        sigma = float(timestep_to_sigma(torch.tensor(timestep, dtype=torch.float64), table))
        assert sigma_to_timestep(sigma, table) == pytest.approx(timestep, abs=1e-6)
    assert float(table[0]) == pytest.approx(0.0292, abs=1e-4) and float(table[-1]) == pytest.approx(14.6146, abs=1e-3)


def test_noise_is_the_webuis_cpu_form_whatever_the_batch():
    torch.manual_seed(1337)
    alone = torch.randn(SHAPE)
    further = torch.randn(SHAPE)
    noise = seeded_noise([5, 1337], SHAPE)
    assert torch.equal(noise()[1], alone) and torch.equal(noise()[1], further)


@pytest.mark.parametrize("name", SAMPLERS)
def test_each_step_asks_in_order(name):
    """Once a step, twice where a step is of second order; the last one of those goes straight to 0."""
    seen = []

    def predict(x, timestep, step):
        seen.append((step, timestep))
        return x * 0

    draw(name, 7, predict)
    calls = [2] * 6 + [1] if name.startswith(("Heun", "DPM++ SDE")) else [1] * 7
    assert [step for step, _ in seen] == [step for step in range(7) for _ in range(calls[step])]
    assert sorted(seen, key=lambda entry: -entry[1]) == seen


@pytest.mark.parametrize("name", SAMPLERS)
@pytest.mark.parametrize("steps", [1, 2, 3, 60])
def test_any_number_of_steps(name, steps):
    assert torch.isfinite(draw(name, steps, lambda x, timestep, step: x * 0.5)).all()


@pytest.mark.parametrize("name", [name for name, eta in DEFAULT_ETA.items() if eta is not None])
def test_noise_is_each_pictures_own(name):
    """The second of two pictures, drawn alone."""
    noise = seeded_noise([2], SHAPE)
    alone = sample(SAMPLERS[name], make_denoiser(small_model, "epsilon"), noise(), 6, noise, 0.7)
    assert torch.allclose(draw(name, 6, eta=0.7)[1:], alone, atol=1e-6)


def test_eta():
    assert [resolve_eta(name, "auto") for name in ("Euler", "Euler a", "DDIM", "DPM++ SDE Karras")] == [0, 1, 0, 1]
    assert [resolve_eta(name, 0.3) for name in ("Euler", "Euler a", "DDIM")] == [0, 0.3, 0.3]
    assert torch.equal(draw("Euler a", 5, eta=0), draw("Euler", 5))


def test_guidance():
    conditioned, unconditioned = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.allclose(guide(conditioned, unconditioned, 1.0), conditioned)
    assert torch.equal(guide(conditioned, unconditioned, 0.0), unconditioned)
    assert torch.allclose(guide(torch.ones(1), torch.zeros(1), 7.0), torch.tensor(7.0))


def test_planning_knows_the_same_names():
    assert list(DEFAULT_ETA) == list(SAMPLERS)


@pytest.mark.parametrize(
    ("name", "nearest"),
    [("Euler A", "Euler a"), ("dpm++ 2m karras", "DPM++ 2M Karras"), ("DPM++ SDE karas", "DPM++ SDE Karras")],
)
def test_unknown_names_are_refused_with_the_nearest(name, nearest):
    for refuse in (check_sampler, find_sampler):
        with pytest.raises(UserError) as error:
            refuse(name)
        assert f"nearest is {nearest}." in str(error.value) and "grid.sampler" in str(error.value)
    with pytest.raises(UserError, match="UniPC"):
        check_sampler("PLMS")


def test_unknown_predictions_are_refused():
    with pytest.raises(UserError):
        make_denoiser(small_model, "sample")
