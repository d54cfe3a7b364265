"""Names of our classes, as configs of any scope say them."""

from importlib import import_module

import pytest

from shufflenet_det.integration.registration import LOCATIONS

SCOPES = ('mmdet', 'mmengine')


@pytest.mark.parametrize('scope', SCOPES)
@pytest.mark.parametrize('name', LOCATIONS)
def test_the_prefix_of_mmdet_names_every_class_in_every_scope(name, scope):
    registries = {of: getattr(import_module(f'{of}.registry'), name) for of in SCOPES}
    for registry in registries.values():
        registry.import_from_location()
    ours = {
        key: kind
        for registry in registries.values()
        for key, kind in registry.module_dict.items()
        if kind.__module__.startswith('shufflenet_det.')
    }
    assert ours
    assert {key: registries[scope].get(f'mmdet.{key}') for key in ours} == ours
