import pytest
import torch


@pytest.fixture(params=['cpu', *(['cuda'] if torch.cuda.is_available() else [])])
def device(request: pytest.FixtureRequest) -> str:
    return request.param
