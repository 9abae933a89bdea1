"""Resources of inference gateways: an InferencePool, and KServe's service with a route of the user's own."""

from __future__ import annotations

from typing import Any


def inference_pool(name: str, namespace: str) -> dict[str, Any]:
    """Return an InferencePool whose endpoints are the pods with the label ``app``, chosen by an endpoint picker."""
    picker = {"name": f"{name}-epp", "port": {"number": 9002}, "failureMode": "FailOpen"}
    return {
        "apiVersion": "inference.networking.k8s.io/v1",
        "kind": "InferencePool",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "targetPorts": [{"number": 8000}],
            "endpointPickerRef": picker,
        },
    }


def llm_inference_service(name: str, namespace: str, route: str) -> dict[str, Any]:
    """Return KServe's service for a model, whose HTTPRoute ``route`` is the user's, so that KServe leaves it alone."""
    return {
        "apiVersion": "serving.kserve.io/v1alpha2",
        "kind": "LLMInferenceService",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "model": {"uri": "hf://Qwen/Qwen2.5-7B-Instruct", "name": "Qwen/Qwen2.5-7B-Instruct"},
            "router": {"scheduler": {}, "route": {"http": {"refs": [{"name": route}]}}, "gateway": {}},
        },
    }
