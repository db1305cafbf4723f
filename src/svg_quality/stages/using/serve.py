"""`serve`: the REST API and the web page, until it is told to stop."""

from __future__ import annotations

from svg_quality.prediction.predictor import QualityPredictor
from svg_quality.serving.api import create_app
from svg_quality.serving.config import ServeConfig
from svg_quality.serving.security import check_address, read_api_key
from svg_quality.serving.server import listening_socket, serve, url_of
from svg_quality.settings import ServeSettings, Settings
from svg_quality.stages.console import say
from svg_quality.tracking.store import project_root


def run(settings: Settings) -> int:
    """Serve; gives the exit code.

    Raises:
        SvgQualityError: an option cannot be followed, or a model cannot be used.
    """
    asked = settings.serve
    config = _config(asked)
    check_address(asked.host, config.api_key)
    with listening_socket(asked.host, asked.port) as bound:
        predictor = QualityPredictor(settings.predictor.model, enabled=settings.predictor.enabled)
        challenger = QualityPredictor(asked.challenger) if asked.challenger else None
        app = create_app(config, predictor, challenger, asked.share)
        predictor.warm_up()
        if challenger is not None:
            challenger.warm_up()
        whole = serve(
            app, bound, asked.timeout_s, lambda: _welcome(url_of(bound), config, predictor)
        )
    ended = "every request was answered" if whole else "at once, what was under way was given up"
    say(f"serve      stopped: {ended}")
    return 0


def _config(asked: ServeSettings) -> ServeConfig:
    return ServeConfig(
        api_key=read_api_key(asked.api_key_file),
        max_request_bytes=round(asked.max_upload_mb * 1e6),
        max_megapixels=asked.max_megapixels,
        max_batch=asked.max_batch,
        max_concurrent=asked.max_concurrent,
        timeout_s=asked.timeout_s,
        data=project_root() / "data" if asked.log else None,
    )


def _welcome(url: str, config: ServeConfig, predictor: QualityPredictor) -> None:
    state = predictor.availability()
    if state.available:
        say(f"Model:     {state.model_name} version {state.model_version}")
    else:
        say(f"Model:     none, predictions are unavailable: {state.reason}")
    say(f"Page:      {url}")
    say(f"API:       {url}docs   {url}openapi.json")
    say(f"Access:    {'with the API key' if config.api_key else 'from this machine only'}")
    say("Ctrl-C stops it.")
