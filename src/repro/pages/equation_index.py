"""The index of equations: number, formula, function, file and line, tests, page; generated, so that it cannot go stale.

What is typed here is only which function computes which equation, and on which page it is shown. Files and lines come
from the functions, tests from the test files that use them.
"""

import ast
import importlib
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from repro import paths


@dataclass(frozen=True)
class Equation:
    """One numbered equation of the paper.

    Attributes:
        number: the paper's.
        name: what it defines, in words.
        latex: the equation as printed, shortened where the paper breaks the line.
        code: ``module:name`` of what computes it, most important first; empty where the project does not have it yet.
        page: the page that shows it, a path below ``notebooks``; empty where there is none yet.
    """

    number: int
    name: str
    latex: str
    code: tuple[str, ...] = ()
    page: str = ""


FLOW, CORRECTNESS, AFFINE = "equations/flow_and_poses", "equations/sampling_correctness", "equations/affine_regularizer"
ATTENTION, JOINT = "equations/local_attention", "equations/joint_loss"
SEQUENTIAL, TEMPORAL = "equations/sequential", "equations/temporal_discriminator"
MOTION = "equations/motion_extraction"

EQUATIONS = (
    Equation(
        1, "flows and masks", r"\mathbf{w}, \mathbf{m} = F(\mathbf{x}_s, \mathbf{p}_s, \mathbf{p}_t)",
        ("repro.models:FlowEstimator",), FLOW,
    ),
    Equation(
        2, "sampling correctness",
        r"\mathcal{L}_c = \frac{1}{N} \sum_{l \in \Omega}"
        r" \exp\left(-\frac{\mu(\mathbf{v}_{s,\mathbf{w}}^l, \mathbf{v}_t^l)}{\mu_{max}^l}\right)",
        ("repro.losses:sampling_correctness", "repro.ops:gaussian_warp"), CORRECTNESS,
    ),
    Equation(
        3, "best possible match", r"\mu_{max}^l = \max_{l' \in \Omega} \mu(\mathbf{v}_s^{l'}, \mathbf{v}_t^l)",
        ("repro.ops:max_cosine_similarity",), CORRECTNESS,
    ),
    Equation(
        4, "local affine model", r"\mathbf{T}_l = \mathbf{A}_l \mathbf{S}_l",
        ("repro.losses:affine_regularization",), AFFINE,
    ),
    Equation(
        5, "least-squares affine",
        r"\hat{\mathbf{A}}_l = \mathbf{T}_l \mathbf{S}_l^H (\mathbf{S}_l \mathbf{S}_l^H)^{-1}",
        ("repro.losses:affine_regularization",), AFFINE,
    ),
    Equation(
        6, "affine regularisation",
        r"\mathcal{L}_r = \sum_{l \in \Omega} \left\| \mathbf{T}_l - \hat{\mathbf{A}}_l \mathbf{S}_l \right\|_2^2",
        ("repro.losses:affine_regularization",), AFFINE,
    ),
    Equation(
        7, "generated image", r"\hat{\mathbf{x}}_t = G(\mathbf{x}_s, \mathbf{p}_t, \mathbf{w}, \mathbf{m})",
        ("repro.models:GFLA",), ATTENTION,
    ),
    Equation(
        8, "attention coefficients",
        r"\mathbf{k}_l = M(\mathcal{N}_n(\mathbf{f}_s, l + \mathbf{w}^l), \mathcal{N}_n(\mathbf{f}_t, l))",
        ("repro.ops:attention_coefficients", "repro.models:LocalAttention"), ATTENTION,
    ),
    Equation(
        9, "local attention",
        r"\mathbf{f}_{attn}^l = P(\mathbf{k}_l \otimes \mathcal{N}_n(\mathbf{f}_s, l + \mathbf{w}^l))",
        ("repro.ops:attend", "repro.ops:local_attention"), ATTENTION,
    ),
    Equation(
        10, "mask blend",
        r"\mathbf{f}_{out} = (\mathbf{1} - \mathbf{m}) * \mathbf{f}_t + \mathbf{m} * \mathbf{f}_{attn}",
        ("repro.models.renderer:blend", "repro.models:GFLA"), ATTENTION,
    ),
    Equation(
        11, "reconstruction", r"\mathcal{L}_{\ell_1} = \|\mathbf{x}_t - \hat{\mathbf{x}}_t\|_1",
        ("repro.losses:l1",), JOINT,
    ),
    Equation(
        12, "adversarial loss",
        r"\mathcal{L}_{adv} = \mathbb{E}[\log(1 - D(\hat{\mathbf{x}}_t))] + \mathbb{E}[\log D(\mathbf{x}_t)]",
        ("repro.losses.adversarial:generator_loss", "repro.losses.adversarial:discriminator_loss"), JOINT,
    ),
    Equation(
        13, "perceptual loss",
        r"\mathcal{L}_{perc} = \sum_i \|\phi_i(\mathbf{x}_t) - \phi_i(\hat{\mathbf{x}}_t)\|_1",
        ("repro.losses:PerceptualLoss",), JOINT,
    ),
    Equation(
        14, "style loss",
        r"\mathcal{L}_{style} = \sum_j \left\| G_j^\phi(\mathbf{x}_t) - G_j^\phi(\hat{\mathbf{x}}_t) \right\|_1",
        ("repro.losses:StyleLoss", "repro.losses:gram"), JOINT,
    ),
    Equation(
        15, "joint loss",
        r"\mathcal{L}_G = \lambda_c \mathcal{L}_c + \lambda_r \mathcal{L}_r + \lambda_{\ell_1} \mathcal{L}_{\ell_1}"
        r" + \lambda_a \mathcal{L}_{adv} + \lambda_p \mathcal{L}_{perc} + \lambda_s \mathcal{L}_{style}",
        ("repro.losses:joint_loss", "repro.losses:LossWeights"), JOINT,
    ),
    Equation(
        16, "motion extraction loss",
        r"\mathcal{L}_{mpjpe} = \left\| \hat{\mathbf{J}}_t^{[1,K]} - \mathbf{J}_{gt}^{[1,K]} \right\|_1",
        ("repro.losses:mpjpe",), MOTION,
    ),
    Equation(
        17, "flow from the source frame",
        r"\mathbf{w}_s^k, \mathbf{m}_s^k = F_s(\mathbf{x}_s, \mathbf{p}_s, \hat{\mathbf{p}}_t^k)",
        ("repro.models:SequentialGFLA", "repro.models.sequential:RecurrentRenderer"), SEQUENTIAL,
    ),
    Equation(
        18, "flow from the previous frame",
        r"\mathbf{w}_p^k, \mathbf{m}_p^k"
        r" = F_p(\hat{\mathbf{x}}_t^{k-1}, \hat{\mathbf{p}}_t^{k-1}, \hat{\mathbf{p}}_t^k)",
        ("repro.models:SequentialGFLA", "repro.models.sequential:RecurrentRenderer"), SEQUENTIAL,
    ),
    Equation(
        19, "generated frame",
        r"\hat{\mathbf{x}}_t^k = G(\mathbf{x}_s, \mathbf{p}_s, \mathbf{w}_s^k, \mathbf{m}_s^k,"
        r" \hat{\mathbf{x}}_t^{k-1}, \hat{\mathbf{p}}_t^{k-1}, \mathbf{w}_p^k, \mathbf{m}_p^k, \hat{\mathbf{p}}_t^k)",
        ("repro.models:SequentialGFLA", "repro.models.sequential:RecurrentRenderer"), SEQUENTIAL,
    ),
    Equation(
        20, "sum of the branches", r"\mathbf{f}_{out}^k = \mathbf{f}_{out\_s}^k + \mathbf{f}_{out\_p}^k",
        ("repro.models.sequential:TwoBranchAttention",), SEQUENTIAL,
    ),
    Equation(
        21, "temporal adversarial loss",
        r"\mathcal{L}_{adv\_v} = \mathbb{E}[\log(1 - D_v(\hat{\mathbf{x}}_t^{[1, K]}))]"
        r" + \mathbb{E}[\log D_v(\mathbf{x}_t^{[1, K]})]",
        ("repro.models:TemporalDiscriminator",), TEMPORAL,
    ),
    Equation(
        22, "animation loss",
        r"\mathcal{L}_A = \frac{1}{K} \sum_{k=1}^K \mathcal{L}_G^k + \lambda_v \mathcal{L}_{adv\_v}",
        ("repro.training.clip_stage:ClipStage",), TEMPORAL,
    ),
    Equation(
        23, "adaptive layer norm",
        r"ADALN(\mathbf{f}) = \gamma \left( \frac{\mathbf{f} - \mu(\mathbf{f})}{\sigma(\mathbf{f})} \right) + \beta",
        ("repro.models.adaptive_normalisation:AdaptiveLayerNorm",), MOTION,
    ),
    Equation(
        24, "its mean", r"\mu_b(\mathbf{f}) = \frac{1}{CL} \sum_{c=1}^C \sum_{l=1}^L \mathbf{f}_{bcl}",
        ("repro.models.adaptive_normalisation:layer_norm",), MOTION,
    ),
    Equation(
        25, "its deviation",
        r"\sigma_b(\mathbf{f})"
        r" = \sqrt{\frac{1}{CL} \sum_{c=1}^C \sum_{l=1}^L (\mathbf{f}_{bcl} - \mu_b(\mathbf{f}))^2}",
        ("repro.models.adaptive_normalisation:layer_norm",), MOTION,
    ),
    Equation(
        26, "its affine parameters", r"\beta, \gamma = E(\mathbf{J}_t^{[1, K]})",
        ("repro.models.motion_extraction:StatisticExtractor", "repro.models.adaptive_normalisation:AdaptiveLayerNorm"),
        MOTION,
    ),
)  # fmt: skip


def resolve(target: str) -> Any:
    """Return the object that ``module:name`` names.

    Raises:
        ImportError, AttributeError: there is no such module or name.
    """
    module, name = target.split(":")
    return getattr(importlib.import_module(module), name)


def place(target: str) -> tuple[str, int]:
    """Return (file inside the project, line) of the object that ``module:name`` names."""
    found = inspect.unwrap(resolve(target))
    file = Path(inspect.getsourcefile(found) or "")
    package = Path(inspect.getsourcefile(importlib.import_module("repro")) or "").parent
    return f"src/repro/{file.relative_to(package).as_posix()}", inspect.getsourcelines(found)[1]


def tests_of(target: str) -> dict[str, int]:
    """Return test file -> number of its tests that use the object by name, most first."""
    name = target.split(":")[1]
    counts = {file: sum(name in used for used in tests) for file, tests in _names_used_by_tests().items()}
    return dict(sorted(((f, n) for f, n in counts.items() if n), key=lambda item: (-item[1], item[0])))


@cache
def _names_used_by_tests() -> dict[str, list[set[str]]]:
    """Return test file -> for each test the names in its body and in what else the file defines and the test uses."""
    found = {}
    for file in sorted((paths.root() / "tests").rglob("test_*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]
        helpers = {f.name: _names(f) for f in functions if not f.name.startswith("test")}
        tests = []
        for function in functions:
            if function.name.startswith("test"):
                names = _names(function)
                tests.append(names.union(*(helpers[name] for name in names & set(helpers))))
        found[file.relative_to(paths.root()).as_posix()] = tests
    return found


def _names(node: ast.AST) -> set[str]:
    plain = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    arguments = {n.arg for n in ast.walk(node) if isinstance(n, ast.arg)}
    return plain | arguments | {n.attr for n in ast.walk(node) if isinstance(n, ast.Attribute)}


def page() -> str:
    """Return the Markdown of the index of equations."""
    lines = [
        "# Index of equations",
        "",
        "Every numbered equation of the paper, what computes it, what tests it, and the page that shows it.",
        "The table is generated from the code when the book is built: files, lines and counts are those of this copy.",
        "A number in brackets is a link to the page where the equation is explained.",
        "",
        "::::{list-table}",
        ":header-rows: 1",
        ":widths: 8 46 46",
        ":class: equations",
        "",
        "* - number",
        "  - equation",
        "  - code and tests",
    ]
    for equation in EQUATIONS:
        lines += _row(equation)
    return "\n".join([*lines, "::::", ""])


def _row(equation: Equation) -> list[str]:
    shown = equation.page and (paths.root() / "notebooks" / f"{equation.page}.ipynb").exists()
    number = f"[({equation.number})](/notebooks/{equation.page})" if shown else f"({equation.number})"
    lines = [
        f"* - []{{#index-eq-{equation.number}}}{number}",
        f"  - {equation.name}<br>${equation.latex}$",
    ]
    if not equation.code:
        return [*lines, "  - not yet here"]
    code, tests = [], {}
    for target in equation.code:
        file, line = place(target)
        role = "class" if inspect.isclass(resolve(target)) else "func"
        path = f"{resolve(target).__module__}.{target.split(':')[1]}"
        code.append(f"{{py:{role}}}`{target.split(':')[1]} <{path}>`<br><small>`{file}:{line}`</small>")
        tests.update(tests_of(target))
    files = [f"`{file}` ({count} tests)" for file, count in sorted(tests.items(), key=lambda t: -t[1])[:2]]
    return [*lines, f"  - {'<br>'.join(code + [f'<small>{file}</small>' for file in files])}"]
