"""Batches are functions of (seed, step); evaluation rows are functions of (seed, image)."""

from __future__ import annotations

import pytest
import torch

from lsgm.config import ConfigError, DataConfig
from lsgm.data import TrainBatches, eval_batches, part_of

IMAGES = torch.arange(10, dtype=torch.uint8).view(10, 1, 1, 1).expand(-1, 1, 4, 4).contiguous()
GREY = torch.full((10, 1, 4, 4), 128, dtype=torch.uint8)


def config(**settings) -> DataConfig:
    return DataConfig(name="npz", path="x.npz", **settings)


def batches(images=IMAGES, batch_size=3, seed=5, **settings) -> TrainBatches:
    return TrainBatches(images, config(**settings), batch_size, seed, "cpu")


def test_an_epoch_visits_each_image_at_most_once_and_drops_the_rest():
    made = batches()
    assert made.steps_per_epoch == 3
    for epoch in range(4):
        seen = torch.cat([made.indices(3 * epoch + step) for step in range(3)]).tolist()
        assert len(set(seen)) == 9
    assert made.indices(0).tolist() != made.indices(3).tolist()


def test_batches_hold_the_images_of_their_indices():
    made = batches()
    for step in (7, 0, 2):
        expected = 2 * made.indices(step).float() / 255 - 1
        torch.testing.assert_close(made.batch(step)[:, 0, 0, 0], expected)


@pytest.mark.parametrize("settings", [{}, {"binarise": True}, {"flip": True, "pad": 1}])
def test_a_step_does_not_depend_on_the_steps_before_it(settings):
    made = batches(GREY, **settings)
    in_order = [made.batch(step) for step in range(8)]
    fresh = batches(GREY, **settings)
    for step in (7, 3, 0, 5):
        assert torch.equal(fresh.batch(step), in_order[step])


def test_seed_and_step_change_the_draws():
    made = batches(GREY, binarise=True)
    assert not torch.equal(made.batch(0), made.batch(1))
    assert not torch.equal(made.batch(0), batches(GREY, binarise=True, seed=6).batch(0))
    assert set(made.batch(0).unique().tolist()) == {-1.0, 1.0}


def test_about_half_of_the_images_are_flipped():
    ramp = torch.arange(4, dtype=torch.uint8).view(1, 1, 1, 4).expand(1000, 1, 4, 4)
    batch = batches(ramp, batch_size=1000, flip=True).batch(0)
    flipped = (batch[:, 0, 0, 0] > batch[:, 0, 0, 3]).float().mean()
    assert 0.42 < flipped < 0.58


@pytest.mark.parametrize("settings", [{"binarise": True}, {"flip": True}])
def test_processes_that_share_a_batch_see_its_rows(settings):
    made = batches(IMAGES * 25, batch_size=6, **settings)
    whole = made.batch(1)
    assert torch.equal(torch.cat([made.batch(1, slice(0, 2)), made.batch(1, slice(2, 6))]), whole)


def test_fewer_images_than_a_batch_is_an_error():
    with pytest.raises(ConfigError, match="batch_size is 11, but there are 10 training images"):
        batches(batch_size=11)
    assert batches(batch_size=10).steps_per_epoch == 1


def test_evaluation_rows_do_not_depend_on_the_batch_size():
    rows = {}
    for batch_size in (1, 3, 10):
        made = list(eval_batches(GREY, config(binarise=True, pad=2, flip=True), batch_size, seed=2))
        assert torch.cat([indices for indices, _ in made]).tolist() == list(range(10))
        rows[batch_size] = torch.cat([inputs for _, inputs in made])
    assert torch.equal(rows[1], rows[3]) and torch.equal(rows[3], rows[10])
    assert rows[1].shape == (10, 1, 8, 8)
    assert not torch.equal(rows[1][0], rows[1][1])


def test_a_part_is_a_keyed_draw_without_replacement():
    draws = [part_of(1000, limit) for limit in (10, 100, 999)]
    for drawn, limit in zip(draws, (10, 100, 999), strict=True):
        assert len(set(drawn)) == limit and drawn == sorted(drawn) and drawn == part_of(1000, limit)
    assert set(draws[0]) < set(draws[1]) < set(draws[2])
    assert 300 < sum(draws[1]) / 100 < 700, "spread over the whole set"
    assert part_of(5, None) == part_of(5, 5) == part_of(5, 9) == [0, 1, 2, 3, 4]


def test_rows_of_a_part_are_those_of_the_whole():
    full = torch.cat([x for _, x in eval_batches(GREY, config(binarise=True), 4, seed=2)])
    some = torch.cat([x for _, x in eval_batches(GREY, config(binarise=True), 3, seed=2, limit=7)])
    assert torch.equal(some, full[torch.tensor(part_of(10, 7))])
    assert sum(len(indices) for indices, _ in eval_batches(GREY, config(), 4, seed=2, limit=99)) == 10
