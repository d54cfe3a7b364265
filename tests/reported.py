"""Faults that users and strangers reported or tried, each with the tests that hold it.

A test is named by its file and its function, or with one of its parameters; ``drill:`` by its case.
"""

SETS, WRONG = 'data/test_annotation_sets.py::', 'data/test_annotation_faults.py::'
WAYS = f'{SETS}test_way_of_writing_changes_no_meaning'
VOC = 'data/test_voc_files.py::'
IMAGES = 'data/test_images.py::'
AGREE = 'training/test_agreement.py::'
GOES_ON = f'{AGREE}test_what_goes_on_says_in_one_line_what_differs_and_which_wins'
ENDS = f'{AGREE}test_what_cannot_go_on_ends_with_what_differs_and_the_remedy'
OWN = 'training/test_own_files.py::'
LOADING = 'training/test_verified_loading.py::'
LACKING = f'{LOADING}test_resume_of_what_is_no_training_names_the_remedy'
METRIC = 'training/test_metric.py::'
FORGED = 'checkpoints/test_forged.py::'
GROUP = 'drill:SIGTERM to the group, 2 data workers'

REPORTED: dict[str, dict[str, tuple[str, ...]]] = {
    'annotation files': {
        'ids of annotations from 0': (f'{WAYS}[annotation ids from 0]',),
        'classes in another order than the categories': (
            f'{WRONG}test_classes_of_another_order_between_splits_are_shown',
            f'{WRONG}test_categories_of_another_order_between_splits_keep_their_names',
            'training/test_plain_mmdet.py::test_labels_follow_names_and_evaluation_reads_what',
        ),
        'an unused root category': (f'{WAYS}[an unused root category of the name of a class]',),
        'no iscrowd': (f'{WAYS}[no iscrowd]',),
        'iscrowd null or 2': (
            f'{WAYS}[iscrowd null]', f'{WRONG}test_named_before_training[iscrowd 2]',
        ),
        'no area, polygons alone': (
            f'{WAYS}[no area]', f'{WAYS}[polygons without bbox]',
            f'{WAYS}[masks as text without bbox]',
            f'{WRONG}test_cleaned_file_is_a_good_one[fractions]',
        ),
        'sizes as floats': (f'{WAYS}[sizes as floats]',),
        'byte order mark, UTF-16': (
            f'{SETS}test_encoding_changes_no_meaning[byte order mark]',
            f'{SETS}test_encoding_changes_no_meaning[UTF-16]',
        ),
        'boxes as fractions': (f'{WRONG}test_named_before_training[fractions]',),
        'corners for sizes, boxes far outside': (
            f'{WRONG}test_told_and_trained_on[x1, y1, x2, y2]',
            f'{WRONG}test_told_and_trained_on[far outside]',
        ),
        'one file under two ids': (f'{WRONG}test_told_and_trained_on[a file under two ids]',),
        'ids of two types': (f'{WRONG}test_named_before_training[ids mixed]',),
        'integers of 400 digits': (
            f'{WRONG}test_named_before_training[bbox of 400 digits]',
            f'{WRONG}test_named_before_training[area of 400 digits]',
        ),
        'VOC images of other suffixes': (
            f'{VOC}test_read_as_the_plain_set[.JPG]', f'{VOC}test_read_as_the_plain_set[.png]',
            f'{VOC}test_check_reads_a_list_of_ids',
        ),
        'VOC ids with spaces': (f'{VOC}test_read_as_the_plain_set[ids with spaces]',),
        'difficult empty': (f'{VOC}test_read_as_the_plain_set[difficult empty]',),
        'blank last lines': (f'{VOC}test_read_as_the_plain_set[blank last lines]',),
        'VOC: infinite corners, other encodings, paths as ids': (
            f'{VOC}test_named_with_its_file[xmin inf]',
            f'{VOC}test_named_with_its_file[xmin 1e999]',
            f'{VOC}test_named_with_its_file[ids no UTF-8]',
            f'{VOC}test_named_with_its_file[id a path]',
        ),
        'images that are pipes or devices, or lie outside': (
            f'{IMAGES}test_only_regular_files_are_read',
            f'{WRONG}test_named_before_training[outside by ..]',
        ),
        'an evaluation without objects': (
            f'{WRONG}test_evaluation_without_objects_says_that_the_score_says_nothing',
            f'{WRONG}test_crowds_alone_are_nothing_to_learn_or_to_find',
        ),
        'pictures of phones with a film behind them': (
            f'{IMAGES}test_film_behind_the_picture_of_a_phone_is_not_its_damage',
        ),
    },
    'runs': {
        'other ranks or batches at a resume': (
            f'{AGREE}test_an_epoch_of_other_batches_begins_at_its_start',
            'drill:two ranks after one, at the end of an epoch',
            'drill:two ranks after one, inside of an epoch',
        ),
        'types of a config as classes': (
            'training/test_pure_python_configs.py::test_types_are_classes',
            'training/test_pure_python_configs.py::test_training_is_protected_and_resumes',
            'training/test_pure_python_configs.py::test_options_change_it',
        ),
        'one batch an epoch': (f'{OWN}test_debugging_with_one_batch_an_epoch',),
        'a Runner of objects': (
            'training/test_plain_mmengine.py::test_runner_of_objects_trains_and_evaluates',
        ),
        'outputs that are a tensor, no parse_losses': (
            'training/test_plain_mmengine.py::test_runner_of_objects_trains_and_evaluates',
            'training/test_guards.py::test_a_model_without_parse_losses_is_told',
        ),
        'an evaluation without the training data': (
            'training/test_plain_mmengine.py::test_evaluation_alone_builds_no_training',
        ),
        'no data workers': (
            'training/test_launch.py::test_no_workers_by_an_option_drops_what_torch_refuses_then',
        ),
        'other rates, decay, schedules, averages at a resume': (
            f'{GOES_ON}[learning rate]', f'{GOES_ON}[weight decay]', f'{GOES_ON}[averages off]',
            f'{ENDS}[one schedule fewer]',
        ),
        'another optimizer, other classes, files of another make': (
            f'{ENDS}[another optimizer]', f'{ENDS}[other classes]', f'{GOES_ON}[frozen]',
            f'{LACKING}[weights only]', f'{LACKING}[no message_hub]', f'{LACKING}[other version]',
        ),
        'a validation that was cut': (
            'training/test_cut_validation.py::test_cut_validation_is_made_up_for',
        ),
        'SIGHUP and SIGUSR1': (
            'training/test_signals.py::test_signal_is_noted_and_handled_as_before_afterwards',
            'drill:SIGHUP to the group, 2 data workers',
            'drill:SIGUSR1 to the group, 2 data workers',
        ),
        'SIGTERM at the start': ('drill:SIGTERM to the group in before_run', GROUP),
        'two runs in one folder': (
            f'{OWN}test_second_run_in_a_work_dir_is_refused_and_names_the_first',
            'drill:two trainings in one work_dir',
        ),
        'a run resumed from another folder': (
            f'{OWN}test_resumed_into_another_folder_the_files_of_the_first_stay',
            f'{OWN}test_copied_work_dir_leaves_the_one_it_was_copied_from',
        ),
        'last_checkpoint damaged, dates set back': (
            'training/test_checkpoint_files.py::test_newest_is_the_one_of_most_iterations',
        ),
        'out_dir, file_client_args': (
            f'{OWN}test_checkpoints_of_another_folder_are_found_without_last_checkpoint',
            f'{OWN}test_old_name_of_the_file_backend_works_with_the_best_checkpoint',
        ),
        'a file system that hangs': (
            'training/test_hung_data.py::test_workers_that_give_no_batch_are_an_error',
            f'{IMAGES}test_only_regular_files_are_read',
        ),
        'the hub, pip install --target, PYTHONOPTIMIZE=2': (
            'test_install.py::test_model_of_a_config_name',
            'test_install.py::test_installed_into_a_target_folder',
            'test_tool_answers.py::test_every_tool_explains_itself_also_where_python_leaves_docstrings_out',
        ),
    },
    'evaluation': {
        'masks without a prediction': (f'{METRIC}test_no_prediction_is_zero_in_every_metric',),
        'scores above 1': (f'{METRIC}test_mask_scores_only_rank',),
        'proposal_fast': (
            f'{METRIC}test_fast_recall_takes_other_numbers_of_boxes_in_any_order',
        ),
        'classwise in a list of evaluators': (
            'training/test_launch.py::test_each_class_is_shown_by_those_of_a_list_that_can',
        ),
        'tools/test.py on odd annotations': (
            'training/test_launch.py::test_evaluation_says_what_training_says_of_other_names',
            'training/test_launch.py::test_evaluation_reads_what_training_reads',
        ),
        'a pickle of predictions': (
            'bench/test_errors_analysis.py::test_pickle_is_refused_with_what_to_give',
        ),
        'grey arrays': ('deploy/test_runtime.py::test_wrong_image_is_refused',),
        'a Detector in another process': (
            'deploy/test_runtime.py::test_another_process_detects_the_same',
        ),
        'int8 compared': (
            'deploy/test_evaluate.py::test_sure_detections_are_matched_by_label_and_overlap',
        ),
        'a metric that is not given': (
            'training/test_monitors.py::test_metric_that_no_validation_gives_stops_before_step_1',
        ),
        'proposals of no level': (
            'detectors/test_light_head.py::test_empty_candidates_need_no_levels',
        ),
    },
    'files of strangers, signals, disks': {
        'Python in a checkpoint': (
            'training/test_plain_mmdet.py::test_nothing_in_a_checkpoint_is_executed',
            f'{LOADING}test_text_of_a_config_in_the_file_is_not_executed',
        ),
        'addresses in a numpy type': (
            f'{FORGED}test_forged_state_of_a_numpy_dtype_does_not_end_the_process',
            'drill:a numpy type whose state holds addresses',
        ),
        'names of files to be deleted': (
            f'{OWN}test_names_in_a_checkpoint_that_this_run_never_gave_delete_nothing',
        ),
        'SIGTERM to the group': (
            GROUP, 'drill:SIGTERM to the groups of two ranks, 2 data workers each',
            'training/test_torchrun.py::test_sigterm_to_the_launcher_saves_once',
        ),
        'threads that read': (
            'checkpoints/test_files.py::test_threads_read_at_the_same_time_and_torch_load_meanwhile',
        ),
        'pictures over the originals': (
            'deploy/test_predict.py::test_no_file_of_the_user_is_overwritten',
            'deploy/test_predict.py::test_every_image_of_a_folder_gets_a_picture',
        ),
        'names of classes without those of the file': (
            'deploy/test_detector.py::test_class_names_are_the_checkpoints_or_else_the_configs',
        ),
        'pipes, silent servers, devices': (
            'checkpoints/test_files.py::test_a_pipe_is_no_checkpoint',
            'checkpoints/test_download.py::test_failed_download_names_the_url',
            'drill:pipes, devices and a decompression bomb',
        ),
        'URLs of one last name': (
            'checkpoints/test_download.py::test_two_urls_with_the_same_last_name_are_two_files',
        ),
        'damage judged from stderr': (
            f'{IMAGES}test_damage_is_found_without_stderr_and_beside_those_who_write_there',
        ),
        'expanded, cyclic, sparse and other tensors': (
            f'{FORGED}test_tensor_without_plain_values_is_refused[expanded]',
            f'{FORGED}test_tensor_without_plain_values_is_refused[sparse]',
            f'{FORGED}test_forged_file_is_refused_in_one_line[a dict in itself]',
            f'{FORGED}test_unusual_types_are_read[float8_e4m3fn]',
        ),
        'lists for numbers in results': (
            'bench/test_report.py::test_wrong_values_of_a_result_are_refused_or_shown_as_text',
        ),
        'ranks with folders of their own': ('drill:ranks with folders of their own',),
        'folders that cannot be flushed': (
            'training/test_checkpoint_files.py::test_file_system_that_flushes_no_folders_is_told',
        ),
        'telemetry of ONNX Runtime': (
            'deploy/test_contract.py::test_onnx_runtime_writes_no_telemetry',
        ),
        'a checkpoint that cannot be resumed': (
            f'{LOADING}test_what_resume_would_refuse_is_not_saved_and_nothing_is_deleted',
        ),
        'augmentation with a state': (
            'training/test_recipes.py::test_stopped_and_resumed_recipe_ends_as_without_a_pause',
            'training/test_recipes.py::test_images_are_checked_behind_a_switch_too',
            'training/test_recipes.py::test_what_workers_remember_is_said_to_be_lost',
        ),
    },
}  # fmt: skip
"""Part -> fault -> tests; a test is given by the start of its name."""
