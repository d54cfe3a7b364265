"""Packaging. The version stands in shufflenet_det/version.py, tool settings in pyproject.toml."""

from pathlib import Path
from runpy import run_path

from setuptools import Distribution, find_packages, setup

ROOT = Path(__file__).parent
README = ROOT / 'README.md'
AT_STARTUP = [f'shufflenet_det/integration/shufflenet_det{end}' for end in ('.pth', '_startup.py')]
TRAIN = [
    'torch>=2.6',
    'torchvision>=0.21',
    'mmdet>=3.3.0,<3.4',
    'mmengine>=0.10.4',
    'pycocotools',
    'safetensors',
    'scipy',
]
DEPLOY = ['torch>=2.14', 'onnx>=1.17', 'onnxscript>=0.7']
OPENVINO = ['openvino>=2026.4']
NCNN = ['ncnn>=1.0.20261020', 'pnnx>=20261020']
MNN = ['MNN>=3.6']
EXECUTORCH = ['torch>=2.14', 'executorch>=1.5']
LITERT = ['litert-torch>=0.10', 'ai-edge-litert>=2.3']


class DistributionWithData(Distribution):
    has_data = Distribution.has_data_files  # what an editable installation asks for data files


class InstallAtStartup(Distribution().get_command_class('install_data')):
    """Puts the data files, `shufflenet_det.pth` and what its line imports, beside the package.

    Python runs a .pth line at start-up. This one lets mmdet find the ops of mmcv-lite and mmengine
    find our configs as `shufflenet_det::...`, whichever package is imported first. `pip install`,
    `pip install -e` and `pip uninstall` handle the files.
    """

    def finalize_options(self) -> None:
        self.set_undefined_options('install', ('install_lib', 'install_dir'))
        super().finalize_options()


class BuildWithConfigs(Distribution().get_command_class('build_py')):
    """Puts configs/ and model-index.yml where MMEngine and MIM look in a package: `.mim`."""

    def _get_data_files(self) -> list:
        return super()._get_data_files() + self.configs()

    def get_data_files_without_manifest(self) -> list:
        """What the source distribution asks for."""
        return super().get_data_files_without_manifest() + self.configs()

    def configs(self) -> list[tuple[str, str, str, list[str]]]:
        """Each folder as (package, source, target, file names)."""
        target = Path(self.build_lib) / 'shufflenet_det/.mim'
        folders = {}
        for path in [Path('model-index.yml'), *Path('configs').rglob('*.*')]:
            if path.suffix in ('.py', '.yml'):
                folders.setdefault(path.parent, []).append(path.name)
        return [
            ('shufflenet_det', str(folder), str(target / folder), sorted(names))
            for folder, names in sorted(folders.items())
        ]


class SdistWithoutTests(Distribution().get_command_class('sdist')):
    """Leaves out the few files of tests/ that setuptools takes by their names."""

    def make_release_tree(self, base_dir: str, files: list[str]) -> None:
        kept = [name for name in files if Path(name).parts[0] != 'tests']
        super().make_release_tree(base_dir, kept)


setup(
    name='shufflenet_det',
    version=run_path(str(ROOT / 'shufflenet_det/version.py'))['__version__'],
    description='ShuffleNet V2 backbones and Light-Head R-CNN for MMDetection',
    long_description=README.read_text(encoding='utf-8') if README.exists() else '',
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    packages=find_packages(include=['shufflenet_det', 'shufflenet_det.*']),
    distclass=DistributionWithData,
    cmdclass={
        'build_py': BuildWithConfigs,
        'install_data': InstallAtStartup,
        'sdist': SdistWithoutTests,
    },
    data_files=[('', AT_STARTUP)],
    package_data={'shufflenet_det.checkpoints': ['packaged/*.onnx', 'packaged/README.md']},
    python_requires='>=3.10',
    install_requires=['numpy', 'onnxruntime>=1.19', 'opencv-python', 'pillow', 'tqdm'],
    extras_require={
        'train': TRAIN,
        'lite': [*TRAIN, 'mmcv-lite>=2.0.0,<2.2.0'],
        'deploy': DEPLOY,
        'openvino': [*DEPLOY, *OPENVINO],
        'ncnn': NCNN,
        'mnn': [*DEPLOY, *MNN],
        'executorch': EXECUTORCH,
        'litert': LITERT,
        'demo': ['gradio>=5'],
        'supervision': ['supervision>=0.26.1', 'trackers>=2.6'],
        'tests': ['pytest>=8', 'pytest-xdist>=3.5', 'ruff>=0.6', *DEPLOY, *OPENVINO, *NCNN, *MNN],
    },
)
