"""Samplers against k-diffusion's, diffusers' DDIM and a case with a known solution."""

import importlib.util
import math
import sys
from types import ModuleType

import pytest
import torch

from loramake.errors import UserError
from loramake.samplers import (
    SAMPLERS,
    find_sampler,
    guide,
    make_denoiser,
    sample,
    seeded_noise,
    sigma_to_timestep,
    timestep_to_sigma,
    training_sigmas,
)

SHAPE = (4, 4, 6)


def alphas() -> torch.Tensor:
    return 1 / (1 + training_sigmas() ** 2)


def small_model(x: torch.Tensor, timestep: float, step: int) -> torch.Tensor:
    """A smooth, non-linear stand-in for a U-Net."""
    return torch.tanh(x * 1.3 + math.sin(timestep / 300)) * 0.8 + x.roll(1, -1) * 0.2


def draw(name: str, steps: int, predict=small_model, prediction_type: str = "epsilon") -> torch.Tensor:
    noise = seeded_noise([1, 2], SHAPE)
    return sample(SAMPLERS[name], make_denoiser(predict, prediction_type), noise(), steps, noise)


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


@pytest.mark.parametrize("steps", [1, 2, 5, 12, 28])
@pytest.mark.parametrize("name", ["Euler", "Euler a", "DPM++ 2M", "DPM++ 2M Karras"])
def test_same_latents_as_k_diffusion(k_diffusion, name, steps):
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
    function = {"Euler": "sample_euler", "Euler a": "sample_euler_ancestral"}.get(name, "sample_dpmpp_2m")
    extra = {"noise_sampler": lambda sigma, sigma_next: noise()} if name == "Euler a" else {}
    expected = getattr(sampling, function)(wrapper, start, sigmas, disable=True, **extra)
    assert (draw(name, steps) - expected).abs().max() < 1e-3


@pytest.mark.parametrize("steps", [5, 12, 28])
def test_ddim_is_diffusers_ddim(steps):
    diffusers = pytest.importorskip("diffusers", reason="compared with diffusers' scheduler")
    scheduler = diffusers.DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.set_timesteps(steps)
    x = seeded_noise([1, 2], SHAPE)()
    for timestep in scheduler.timesteps:
        x = scheduler.step(small_model(x, float(timestep), 0), timestep, x).prev_sample
    assert (draw("DDIM", steps) - x).abs().max() < 1e-3


@pytest.mark.parametrize(
    ("name", "tolerance"),
    [("Euler", 0.02), ("DPM++ 2M", 0.01), ("DPM++ 2M Karras", 0.005), ("DDIM", 0.03)],
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
    drawn = sample(SAMPLERS[name], make_denoiser(ideal, prediction_type), noise, 200, lambda: noise)
    assert (drawn - exact).abs().max() < tolerance * 3
    assert (drawn - exact).abs().mean() < tolerance


def test_ancestral_noise_keeps_the_variance_of_the_data():
    def ideal(x, timestep, step):  # data N(0, 1): eps = sigma·x_scaled / sqrt(1 + sigma²)
        sigma = float(timestep_to_sigma(torch.tensor(timestep, dtype=torch.float64), training_sigmas()))
        return x * sigma / math.hypot(1, sigma)

    noise = seeded_noise(range(8), (4, 32, 32))
    drawn = sample(SAMPLERS["Euler a"], make_denoiser(ideal, "epsilon"), noise(), 240, noise)
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


def test_each_step_asks_once_and_in_order():
    seen = []

    def predict(x, timestep, step):
        seen.append((step, timestep))
        return x * 0

    for name in SAMPLERS:
        seen.clear()
        draw(name, 7, predict)
        assert [step for step, _ in seen] == list(range(7)), name
        assert sorted(seen, key=lambda entry: -entry[1]) == seen, name


def test_guidance():
    conditioned, unconditioned = torch.randn(2, 3), torch.randn(2, 3)
    assert torch.allclose(guide(conditioned, unconditioned, 1.0), conditioned)
    assert torch.equal(guide(conditioned, unconditioned, 0.0), unconditioned)
    assert torch.allclose(guide(torch.ones(1), torch.zeros(1), 7.0), torch.tensor(7.0))


def test_unknown_names_are_refused():
    with pytest.raises(UserError, match="Euler a"):
        find_sampler("Euler A")
    with pytest.raises(UserError):
        make_denoiser(small_model, "sample")
