import hashlib
import json

import cv2
import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from shufflenet_det.data import CLASSES, PALETTE, demo, generate, shapes

SMALL = dict(seed=3, num_train=5, num_val=2)


def hashes(root):
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob('*'))
        if path.is_file()
    }


@pytest.fixture(scope='module')
def small(tmp_path_factory):
    return generate(tmp_path_factory.mktemp('small') / 'set', **SMALL)


@pytest.fixture(scope='module')
def large(tmp_path_factory):
    return generate(tmp_path_factory.mktemp('large') / 'set', num_train=120, num_val=40)


@pytest.fixture(scope='module')
def train(large):
    return COCO(large.ann_file('train'))


def test_same_seed_gives_identical_files(small, tmp_path):
    assert hashes(generate(tmp_path / 'again', **SMALL).root) == hashes(small.root)


def test_other_seed_gives_other_images(small, tmp_path):
    other = generate(tmp_path / 'other', **{**SMALL, 'seed': 4})
    assert not set(hashes(other.root).values()) & set(hashes(small.root).values())


def test_images_do_not_depend_on_their_number(small, tmp_path):
    more = generate(tmp_path / 'more', **{**SMALL, 'num_train': 8})
    assert set(hashes(small.image_dir('train')).items()) < set(
        hashes(more.image_dir('train')).items()
    )


def test_splits_share_no_image(large):
    train_images, val_images = (set(hashes(large.image_dir(s)).values()) for s in demo.SPLITS)
    assert (len(train_images), len(val_images)) == (120, 40)
    assert not train_images & val_images


def test_complete_set_is_not_drawn_again(small, monkeypatch):
    monkeypatch.setattr(demo, '_build', lambda target: pytest.fail('drawn again'))
    assert generate(small, **SMALL) == small


@pytest.mark.parametrize('change', [dict(seed=4), dict(num_train=6), dict(num_val=3)])
def test_other_settings_in_the_same_folder_are_refused(small, change):
    with pytest.raises(FileExistsError, match='choose another folder, or delete'):
        generate(small.root, **{**SMALL, **change})


@pytest.mark.parametrize('name', ['notes.txt', demo.MANIFEST])
def test_foreign_folder_is_refused_and_kept(tmp_path, name):
    (tmp_path / name).write_text('mine')
    with pytest.raises(FileExistsError, match='is no generated set'):
        generate(tmp_path, **SMALL)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize('wrong', [dict(seed=-1), dict(num_train=0), dict(num_val=-2)])
def test_settings_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match='give an integer >= '):
        generate(tmp_path / 'set', **wrong)


def test_interrupted_generation_leaves_nothing_and_is_repeated(small, tmp_path, monkeypatch):
    def interrupt(path, content):
        if path.name == demo.MANIFEST:
            raise KeyboardInterrupt
        path.parent.mkdir(exist_ok=True)
        path.write_text('{}')

    with monkeypatch.context() as patch:
        patch.setattr(demo, '_write_json', interrupt)
        with pytest.raises(KeyboardInterrupt):
            generate(tmp_path / 'set', **SMALL)
    assert not list(tmp_path.iterdir())
    assert hashes(generate(tmp_path / 'set', **SMALL).root) == hashes(small.root)


@pytest.mark.parametrize(
    'damage',
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
    ],
    ids=['lost', 'cut'],
)
@pytest.mark.parametrize('name', ['train/000002.jpg', 'annotations/instances_val.json'])
def test_damaged_set_is_made_anew(small, tmp_path, name, damage):
    root = generate(tmp_path / 'set', **SMALL).root
    damage(root / name)
    generate(root, **SMALL)
    assert hashes(root) == hashes(small.root)
    assert list(tmp_path.iterdir()) == [root]


def test_concurrent_generation_keeps_the_first_set(small, tmp_path, monkeypatch):
    build = demo._build

    def overtaken(target):
        build(target)
        monkeypatch.setattr(demo, '_build', build)
        generate(tmp_path / 'set', **SMALL).root.joinpath('mark').touch()

    monkeypatch.setattr(demo, '_build', overtaken)
    assert (generate(tmp_path / 'set', **SMALL).root / 'mark').exists()


def test_every_class_has_a_colour():
    assert len(set(PALETTE)) == len(CLASSES) == 8


def test_categories_are_balanced(train):
    counts = [len(train.getAnnIds(catIds=category)) for category in train.getCatIds()]
    assert [category['name'] for category in train.loadCats(train.getCatIds())] == list(CLASSES)
    assert min(counts) > 0.6 * np.mean(counts) and max(counts) < 1.4 * np.mean(counts)


def test_images_are_as_recorded(large, train):
    for record in train.dataset['images']:
        pixels = cv2.imread(str(large.image_dir('train') / record['file_name']))
        assert pixels.shape == (record['height'], record['width'], 3)
        assert all(
            shapes.IMAGE_SIDES[0] <= side <= shapes.IMAGE_SIDES[1] for side in pixels.shape[:2]
        )


def test_object_counts_reach_from_none_to_eight(train):
    counts = {len(train.getAnnIds(imgIds=image)) for image in train.getImgIds()}
    assert counts == set(range(9))


def test_boxes_are_inside_their_image_and_of_allowed_size(train):
    for annotation in train.dataset['annotations']:
        x, y, width, height = annotation['bbox']
        image = train.imgs[annotation['image_id']]
        assert 0 <= x <= image['width'] - width and 0 <= y <= image['height'] - height
        assert shapes.BOX_SIDES[0] <= min(width, height)
        assert max(width, height) <= shapes.BOX_SIDES[1]
        assert 0.1 * width * height < annotation['area'] <= width * height


@pytest.mark.parametrize('number', range(5))
def test_annotations_are_the_drawn_objects(large, train, number):
    _, objects = shapes.compose(np.random.default_rng([large.seed, 0, number]))
    annotated = [(CLASSES[a['category_id'] - 1], *a['bbox']) for a in train.imgToAnns[number + 1]]
    assert annotated == [(o.name, o.x, o.y, *o.mask.shape[::-1]) for o in objects]


def test_colour_does_not_tell_the_categories_apart(large, train):
    labels, colours = [], []
    for annotation in train.dataset['annotations']:
        pixels = cv2.imread(
            str(large.image_dir('train') / train.imgs[annotation['image_id']]['file_name'])
        )
        x, y, width, height = annotation['bbox']
        labels.append(annotation['category_id'])
        colours.append(pixels[y : y + height, x : x + width].mean((0, 1)))
    labels, colours = np.array(labels), np.array(colours)
    known = np.arange(len(labels)) % 2 == 0
    centroids = np.stack([colours[known & (labels == c)].mean(0) for c in train.getCatIds()])
    nearest = np.linalg.norm(colours[~known, None] - centroids, axis=2).argmin(1) + 1
    assert np.mean(nearest == labels[~known]) < 2 / len(CLASSES)


def random_boxes(rng, record):
    corners = rng.uniform(0, 1, (100, 2, 2)) * (record['width'], record['height'])
    return np.concatenate([corners.min(1), np.ptp(corners, 1)], 1)


def whole_image(rng, record):
    return np.array([[0, 0, record['width'], record['height']]] * 8)


@pytest.mark.parametrize('boxes_of', [random_boxes, whole_image])
def test_broken_detector_scores_near_zero(large, boxes_of):
    truth, rng = COCO(large.ann_file('val')), np.random.default_rng(0)
    found = [
        dict(
            image_id=record['id'],
            category_id=int(rng.integers(1, 9)),
            bbox=box.tolist(),
            score=float(rng.uniform()),
        )
        for record in truth.dataset['images']
        for box in boxes_of(rng, record)
    ]
    evaluation = COCOeval(truth, truth.loadRes(found), 'bbox')
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] < 0.02


def test_manifest_lists_every_other_file(small):
    files = set(json.loads((small.root / demo.MANIFEST).read_text())['files'])
    assert files | {demo.MANIFEST} == set(hashes(small.root))
