"""The list of faults: what is done to the project, and what must come of it.

Whatever happens: a message that names the file, key or field and the remedy, a non-zero exit, and
no earlier output damaged; no hang, and no death by a signal of our own.
"""

FAULTS = {
    1: ('an image of no bytes, or of random ones', 'named, or skipped and counted'),
    2: ('a cut image, text named .jpg', 'named, or skipped and counted'),
    3: ('grey, palette, CMYK, 16-bit and other kinds of images', 'read as 3 channels of 8 bit'),
    4: ('EXIF rotation; width and height unlike the file', 'upright; an error with both sizes'),
    5: ('images of 1x1 and 5000x1 px in inference', 'a result'),
    6: ('an image that is missing, or a folder', 'named'),
    7: ('boxes without area or outside the image', 'left out and counted'),
    8: ('boxes with NaN, infinity or 1e9', 'an error that names the annotation'),
    9: ('categories and classes that do not agree', 'an error before the first step'),
    10: ('ids twice; fields missing or of a wrong form', 'an error that names the ids'),
    11: ('JSON that is cut, missing or unlike COCO', 'an error with path and cause'),
    12: ('a batch without ground truth', 'a class loss, a box loss of 0'),
    13: ('RoIs that are not finite, not ordered or of no image', 'finite, or an error'),
    14: ('a loss of NaN', 'a stop before the step and the checkpoint'),
    15: ('NaN in predictions', 'refused by the evaluation'),
    16: ('no predictions, image ids and labels that do not exist', 'AP 0, or an error'),
    17: ('a damaged checkpoint, or none at all', 'an error that names it'),
    18: ('weights of another net', 'an error, or a report of what was loaded'),
    19: ('a checkpoint with code in it', 'refused, nothing is run'),
    20: ('a disk that is full while a file is written', 'the earlier file is whole'),
    21: ('a training that is killed while it saves', 'it can be resumed'),
    22: ('a resumed training', 'equal to one without a pause, bit for bit'),
    23: ('the same seed twice', 'the same values'),
    24: ('a process that dies, memory that runs out, a config in error', 'an end with its cause'),
    25: ('an export that is interrupted', 'no partial file'),
    26: (
        'annotations in the ways that users write them',
        'read; names kept, truth scores 1',
    ),
    27: ('Pascal VOC in the ways that users write it', 'read as the plain set, or named'),
    28: ('signals of schedulers and terminals, to whole groups', 'saved, exit 128 + its number'),
    29: ('settings that changed before a resume', 'said which wins, or the remedy'),
    30: ('two runs in one folder, one run in two', 'refused; files of others stay'),
    31: ('a checkpoint that was forged', 'refused in one line, or read; nothing is run'),
    32: ('an exported model of a stranger', 'refused by what is unlike ours, nothing hangs'),
    33: ('files that never end, pictures that grow', 'refused by kind or header'),
}
"""Row -> (fault, what must come of it). The cases of a row stand in ``*_rows.py``."""
