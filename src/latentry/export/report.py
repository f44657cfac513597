"""`parity.md`: the same as parity.json, for people."""

from __future__ import annotations

from typing import Any


def parity_text(manifest: dict[str, Any], parity: dict[str, Any]) -> str:
    """The report as Markdown.

    Args:
        manifest: of the exported folder.
        parity: what was measured.
    """
    seeds = parity["pictures"]
    lines = [
        f"# {manifest['name']}, exported to ONNX",
        "",
        f"Opset {manifest['opset']}, weights stored as {manifest['precision']}; "
        + ", ".join(f"{name} {version}" for name, version in manifest["versions"].items())
        + ".",
        "",
        "## Against PyTorch",
        "",
        "| graph | batch | largest difference | allowed |",
        "|---|---|---|---|",
        *(f"| {r['graph']} | {r['batch']} | {r['difference']:.2g} | {r['limit']:.2g} |" for r in parity["graphs"]),
        "",
        f"Pictures of seeds 0 to {seeds['seeds'] - 1} differ by {seeds['difference']:g} at most; {seeds['limit']:g} is "
        "allowed" + (" (grey levels of 255)" if manifest["pixels"] else "") + ".",
        "",
        "![rows from PyTorch, each above the row of the same seeds from ONNX](parity.png)",
        "",
        "Graphs and pictures are compared in float32, before weights are stored in fewer bits.",
        "",
        *_precision_lines(manifest, parity["precision"]),
        "## Time on this CPU",
        "",
        "| graph | batch | threads | PyTorch | onnxruntime |",
        "|---|---|---|---|---|",
        *(
            f"| {r['graph']} | {r['batch']} | {r['threads']} | {r['torch_ms']:.2f} ms | {r['onnx_ms']:.2f} ms |"
            for r in parity["timing"]
        ),
        "",
        "Medians of five runs.",
        "",
    ]
    return "\n".join(lines)


def _precision_lines(manifest: dict[str, Any], cost: dict[str, Any] | None) -> list[str]:
    if cost is None:
        return []
    said = f"The decoder's file has {cost['share_of_size']:.0%} of the size in float32. "
    if "psnr_db" in cost:
        decibel = "infinite" if cost["psnr_db"] is None else f"{cost['psnr_db']:.1f} dB"
        said += (
            f"Against the pictures in float32, {cost['pictures']} have a PSNR of {decibel}; no pixel is off by more "
            f"than {cost['largest_grey_levels']:.2f} grey levels of 255."
        )
    else:
        said += f"No number differs by more than {cost['largest_value']:.2g}."
    return [f"## The cost of {manifest['precision']}", "", said, ""]
