"""Encoder, pooling, dropout, intent centres and published names, each against something simpler."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from elcrec.config import resolve
from elcrec.data.batches import Padding, TokenBatch, lay_out
from elcrec.errors import RunError
from elcrec.model import encoder as encoder_module
from elcrec.model import published
from elcrec.model.dropout import Dropout
from elcrec.model.encoder import CausalConvolution, SequenceEncoder, pool
from elcrec.model.intents import IntentCenters
from elcrec.model.network import ELCRecNetwork

N_ITEMS = 30
MAX_LEN = 12
WIDTH = 8
PADDINGS: tuple[Padding, Padding] = ("skip", "encode")
LENGTHS = [5, 1, 12, 20, 7, 1, 13, 9, 2]  # short, one item, exactly max_seq_len, longer


def make_encoder(n_layers: int = 2, n_heads: int = 2, dropout: float = 0.5, filter_width: int = 0) -> SequenceEncoder:
    """In evaluation mode, with weights large enough that everything matters."""
    torch.manual_seed(n_layers * 10 + n_heads)
    encoder = SequenceEncoder(N_ITEMS + 2, MAX_LEN, WIDTH, n_layers, n_heads, dropout, filter_width=filter_width).eval()
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return encoder


def rows_of(lengths: list[int], seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random histories of given lengths, as ``lay_out`` reads them."""
    generator = torch.Generator().manual_seed(seed)
    length_B = torch.tensor(lengths)
    item_BW = torch.randint(1, N_ITEMS + 1, (len(lengths), max(lengths)), generator=generator)
    return item_BW * (torch.arange(max(lengths)) < length_B[:, None]), length_B


def at_real_tokens(hidden_TD: Tensor, batch: TokenBatch, item_BW: Tensor) -> Tensor:
    """Hidden vectors laid back onto the caller's matrix: [B, W, D], 0 where nothing was encoded."""
    flat = torch.zeros(item_BW.numel(), hidden_TD.shape[1])
    flat[batch.source_T[batch.real_T]] = hidden_TD[batch.real_T]
    return flat.view(*item_BW.shape, -1)


def encode(encoder: SequenceEncoder, item_BW: Tensor, length_B: Tensor, padding: Padding) -> Tensor:
    batch = lay_out(item_BW, length_B, MAX_LEN, padding)
    with torch.no_grad():
        return at_real_tokens(encoder(batch), batch, item_BW)


def naive_hidden(encoder: SequenceEncoder, items: list[int], hidden_key: float = -math.inf) -> Tensor:
    """One history, position by position, head by head; ``hidden_key`` is added for future and padded keys."""
    heads, first = encoder.layers[0].n_heads, MAX_LEN - len(items)
    x = [
        encoder.norm(encoder.item_embedding.weight[item] + encoder.position_embedding.weight[first + at])
        for at, item in enumerate(items)
    ]
    for layer in encoder.layers:
        parts = [layer.qkv(vector).chunk(3) for vector in x]
        mixed = []
        for at in range(len(items)):
            pieces = []
            for head in range(heads):
                own = slice(head * WIDTH // heads, (head + 1) * WIDTH // heads)
                scores = torch.stack([parts[at][0][own] @ key[own] / (WIDTH / heads) ** 0.5 for _, key, _ in parts])
                for j, item in enumerate(items):
                    if j > at or item == 0:
                        scores[j] += hidden_key
                weights = scores.softmax(dim=0)
                pieces.append(sum(weight * value[own] for weight, (_, _, value) in zip(weights, parts, strict=True)))
            filtered = torch.zeros(WIDTH)
            for age, weight in enumerate([] if layer.filter is None else layer.filter.weight):
                filtered = filtered + weight * x[at - age] if at >= age else filtered
            mixed.append(layer.attention_norm(layer.attention_out(torch.cat(pieces)) + filtered + x[at]))
        x = [layer.output_norm(layer.narrow(F.gelu(layer.widen(vector))) + vector) for vector in mixed]
    return torch.stack(x)


# Encoder


@pytest.mark.parametrize(("padding", "filter_width"), [("skip", 0), ("encode", 0), ("skip", 3), ("skip", 20)])
def test_encoder_is_the_transformer_written_out(padding: Padding, filter_width: int) -> None:
    encoder = make_encoder(n_layers=2, n_heads=2, filter_width=filter_width)
    item_BW, length_B = rows_of([6, 1, 9])
    hidden = encode(encoder, item_BW, length_B, padding)
    for row, length in enumerate(length_B.tolist()):
        with torch.no_grad():
            expected = naive_hidden(encoder, item_BW[row, :length].tolist())
        torch.testing.assert_close(hidden[row, :length], expected, rtol=1e-4, atol=1e-5)


def test_the_released_layout_is_its_additive_mask_written_out_padding_included() -> None:
    encoder = make_encoder(n_layers=2, n_heads=2)
    item_BW, length_B = rows_of([7, 12, 1])
    item_BW[0, 3] = item_BW[1, 5] = 0  # masked items: hidden as keys, and queries like any other
    with torch.no_grad():
        hidden = encoder(lay_out(item_BW, length_B, MAX_LEN, "encode")).view(3, MAX_LEN, WIDTH)
        for row, length in enumerate(length_B.tolist()):
            items = [0] * (MAX_LEN - length) + item_BW[row, :length].tolist()
            expected = naive_hidden(encoder, items, hidden_key=-10000.0)
            # -10000 in float32 leaves the scores three decimals
            torch.testing.assert_close(hidden[row], expected, rtol=5e-3, atol=5e-3)


@pytest.mark.parametrize(("n_layers", "n_heads"), [(1, 1), (1, 2), (2, 4), (3, 2)])
def test_both_paddings_agree_at_real_tokens(n_layers: int, n_heads: int) -> None:
    encoder = make_encoder(n_layers, n_heads)
    item_BW, length_B = rows_of(LENGTHS)
    skip = encode(encoder, item_BW, length_B, "skip")
    torch.testing.assert_close(skip, encode(encoder, item_BW, length_B, "encode"), rtol=1e-4, atol=1e-5)
    encoded = skip.abs().sum(dim=-1) > 0
    assert encoded.sum(dim=1).tolist() == [min(length, MAX_LEN) for length in LENGTHS]


@pytest.mark.parametrize("padding", PADDINGS)
def test_only_the_newest_items_are_read(padding: Padding) -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of([20])
    older = item_BW.clone()
    older[0, : 20 - MAX_LEN] = 1 + older[0, : 20 - MAX_LEN] % N_ITEMS
    whole = encode(encoder, item_BW, length_B, padding)
    assert torch.equal(whole, encode(encoder, older, length_B, padding))
    newest = encode(encoder, item_BW[:, 20 - MAX_LEN :], torch.tensor([MAX_LEN]), padding)
    torch.testing.assert_close(whole[:, 20 - MAX_LEN :], newest)


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_row_does_not_depend_on_the_others(padding: Padding) -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of(LENGTHS)
    together = encode(encoder, item_BW, length_B, padding)
    for row in range(len(LENGTHS)):
        alone = encode(encoder, item_BW[row : row + 1], length_B[row : row + 1], padding)
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padding", PADDINGS)
def test_a_later_item_does_not_change_earlier_hidden_vectors(padding: Padding) -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of([10])
    before = encode(encoder, item_BW, length_B, padding)
    for changed in range(10):
        other = item_BW.clone()
        other[0, changed] = 1 + other[0, changed] % N_ITEMS
        after = encode(encoder, other, length_B, padding)
        torch.testing.assert_close(after[0, :changed], before[0, :changed], rtol=0, atol=1e-6)
        assert bool(((after - before)[0, changed:].abs().amax(dim=-1) > 1e-4).all())


def test_in_skip_real_tokens_do_not_see_what_fills_the_block() -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of([7, 7])  # length 7 shares a block of width 8
    batch = lay_out(item_BW, length_B, MAX_LEN, "skip")
    assert not bool(batch.real_T.all())
    before = encode(encoder, item_BW, length_B, "skip")
    with torch.no_grad():
        encoder.item_embedding.weight[0] += torch.randn(WIDTH)
    assert torch.equal(before, encode(encoder, item_BW, length_B, "skip"))


@pytest.mark.parametrize("filter_width", [0, 3])
def test_packed_sequences_are_encoded_and_pooled_as_alone(filter_width: int) -> None:
    encoder = make_encoder(filter_width=filter_width)
    item_BW, length_B = rows_of([*LENGTHS, 1, 2, 1, 3, 7])
    found = []
    for packed in (False, True):
        encoder.zero_grad()
        batch = lay_out(item_BW, length_B, MAX_LEN, "skip", packed)
        hidden_TD = encoder(batch)
        pooled_BD = pool(hidden_TD, batch, 0.5)
        (pooled_BD * torch.arange(1.0, WIDTH + 1)).square().sum().backward()
        gradients = [weight.grad for weight in encoder.parameters()]
        found.append([at_real_tokens(hidden_TD.detach(), batch, item_BW), pooled_BD, *gradients])
    assert len(batch.blocks) == 1  # of the packed layout
    torch.testing.assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)


def test_a_padded_query_of_the_released_layout_depends_on_the_real_items() -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of([4])
    other = item_BW.clone()
    other[0, -1] = 1 + other[0, -1] % N_ITEMS
    hidden, changed = (
        encoder(lay_out(items, length_B, MAX_LEN, "encode")).detach()[: MAX_LEN - 4] for items in (item_BW, other)
    )
    assert bool(((hidden - changed).abs().amax(dim=-1) > 1e-4).all())


def test_a_padded_query_keeps_its_scores_in_bfloat16() -> None:
    encoder = make_encoder(n_layers=1)
    batch = lay_out(*rows_of(LENGTHS), MAX_LEN, "encode")
    with torch.no_grad():
        exact_TD = encoder(batch)
        with torch.autocast("cpu", torch.bfloat16):
            hidden_TD = encoder(batch).float()
    for of_T in (batch.real_T, ~batch.real_T):
        # Attention to all keys alike, as from scores rounded away, is off by .4 at padded tokens.
        assert (hidden_TD - exact_TD)[of_T].abs().max() < 0.05


def test_a_masked_item_is_hidden_as_released_and_a_token_of_its_own_in_ours() -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of([6])
    item_BW[0, 2] = 0
    released, ours = (lay_out(item_BW, length_B, MAX_LEN, padding) for padding in ("encode", "skip"))
    assert int(released.real_T.sum()) == 5
    assert int(ours.real_T.sum()) == 6
    last = [encoder(batch).detach()[batch.last_B] for batch in (released, ours)]
    with torch.no_grad():
        encoder.item_embedding.weight[0] += torch.randn(WIDTH)
    changed = [encoder(batch).detach()[batch.last_B] for batch in (released, ours)]
    torch.testing.assert_close(changed[0], last[0])
    assert bool((changed[1] - last[1]).abs().max() > 1e-4)


@pytest.mark.parametrize("padding", PADDINGS)
def test_attention_in_training_is_attention_in_evaluation_but_for_dropout(padding: Padding) -> None:
    encoder = make_encoder(dropout=0.001)  # rounds to 0 of 256, so nothing is dropped
    item_BW, length_B = rows_of(LENGTHS)
    batch = lay_out(item_BW, length_B, MAX_LEN, padding)
    evaluated = encoder.eval()(batch)
    trained = encoder.train()(batch)
    torch.testing.assert_close(trained[batch.real_T], evaluated[batch.real_T], rtol=1e-3, atol=1e-4)


def test_feeding_forward_in_parts_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = make_encoder()
    batch = lay_out(*rows_of(LENGTHS), MAX_LEN, "skip")
    whole = encoder(batch)
    monkeypatch.setattr(encoder_module, "FEED_TOKENS", 5)
    torch.testing.assert_close(encoder(batch), whole)


def test_fresh_weights_are_as_released() -> None:
    encoder = SequenceEncoder(4000, 50, 64, 2, 2, 0.5)
    assert encoder.item_embedding.weight.std().item() == pytest.approx(0.02, rel=0.02)
    assert encoder.item_embedding.weight[0].abs().sum().item() > 0  # row 0 is noise, not zero
    for layer in encoder.layers:
        for linear in (layer.qkv, layer.attention_out, layer.widen, layer.narrow):
            assert linear.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert not bool(linear.bias.any())
    assert encoder.norm.eps == encoder.layers[0].output_norm.eps == 1e-12


@pytest.mark.parametrize(("recipe", "learns"), [("default", True), ("paper", False)])
def test_row_0_learns_in_our_recipe_only(recipe: str, learns: bool) -> None:
    settings = resolve(recipe, {"embedding_dim": WIDTH, "max_seq_len": MAX_LEN, "n_intents": 3, "dropout": 0})
    torch.manual_seed(0)
    network = ELCRecNetwork(settings, N_ITEMS)
    item_BW, length_B = rows_of([6, 3])
    item_BW[:, 1] = 0
    network.encoder(lay_out(item_BW, length_B, MAX_LEN, settings.padding)).square().sum().backward()
    gradient = network.encoder.item_embedding.weight.grad
    assert gradient is not None
    assert bool(gradient[0].any()) == learns
    assert bool(gradient[1:].any())


# Pooling and the network


@pytest.mark.parametrize("padding", PADDINGS)
def test_pool_is_the_loop_in_the_callers_order(padding: Padding) -> None:
    encoder = make_encoder()
    item_BW, length_B = rows_of(LENGTHS)
    with torch.no_grad():
        pooled = pool(
            encoder(lay_out(item_BW, length_B, MAX_LEN, padding)), lay_out(item_BW, length_B, MAX_LEN, padding)
        )
        for row, length in enumerate(LENGTHS):
            kept = item_BW[row, max(0, length - MAX_LEN) : length]
            alone = lay_out(kept[None], torch.tensor([len(kept)]), MAX_LEN, padding)
            hidden = encoder(alone)
            count, total = 0, torch.zeros(WIDTH)
            for token in range(len(hidden)):
                if padding == "encode" or alone.real_T[token]:
                    count, total = count + 1, total + hidden[token]
            assert count == (MAX_LEN if padding == "encode" else min(length, MAX_LEN))
            torch.testing.assert_close(pooled[row], total / count, rtol=1e-4, atol=1e-5)


def test_pool_counts_masked_items_of_ours() -> None:
    item_BW = torch.tensor([[3, 0, 5]])
    batch = lay_out(item_BW, torch.tensor([3]), MAX_LEN, "skip")
    hidden = torch.arange(3.0 * WIDTH).view(3, WIDTH)
    torch.testing.assert_close(pool(hidden, batch), hidden.mean(dim=0, keepdim=True))


@pytest.mark.parametrize("recipe", ["default", "paper"])
def test_a_user_is_ranked_with_the_vector_of_the_newest_item(recipe: str) -> None:
    settings = resolve(recipe, {"embedding_dim": WIDTH, "max_seq_len": MAX_LEN, "n_intents": 3})
    network = ELCRecNetwork(settings, N_ITEMS).eval()
    item_BW, length_B = rows_of(LENGTHS)
    hidden = encode(network.encoder, item_BW, length_B, settings.padding)
    users = network.encode_users(lay_out(item_BW, length_B, MAX_LEN, settings.padding))
    newest = torch.stack([hidden[row, length - 1] for row, length in enumerate(LENGTHS)])
    torch.testing.assert_close(users, newest, rtol=0, atol=0)


@pytest.mark.parametrize(("recipe", "rows"), [("default", N_ITEMS + 1), ("paper", N_ITEMS + 2)])
def test_the_catalogue_is_the_item_table_without_padding_and_mask_row(recipe: str, rows: int) -> None:
    network = ELCRecNetwork(resolve(recipe, {"embedding_dim": WIDTH, "n_intents": 3}), N_ITEMS)
    table = network.encoder.item_embedding.weight
    assert len(table) == rows
    assert torch.equal(network.items_VD, table[1 : N_ITEMS + 1])


# Dropout


@pytest.mark.parametrize("p", [0.5, 0.1, 0.9])
def test_dropout_keeps_the_mean_and_zeroes_the_share(p: float) -> None:
    torch.manual_seed(0)
    dropped = Dropout(p).train()(torch.ones(400_003))
    assert (dropped == 0).double().mean().item() == pytest.approx(p, abs=0.004)
    assert dropped.mean().item() == pytest.approx(1, abs=0.02)
    assert torch.unique(dropped).numel() == 2


@pytest.mark.parametrize("p", [0.5, 0.3, 0.05])
def test_dropout_scales_by_the_share_really_kept(p: float) -> None:
    torch.manual_seed(0)
    kept_of_256 = 256 - round(p * 256)
    assert Dropout(p).train()(torch.ones(1000)).max().item() == pytest.approx(256 / kept_of_256)


def test_dropout_passes_gradients_where_it_passed_values() -> None:
    torch.manual_seed(0)
    x = torch.randn(37, 11, requires_grad=True)
    out = Dropout(0.5).train()(x)
    weight = torch.randn_like(x)
    (out * weight).sum().backward()
    mask = (out != 0).float() * 2
    assert x.grad is not None
    torch.testing.assert_close(x.grad, weight * mask)
    torch.testing.assert_close(out, x * mask)


def test_dropout_is_the_identity_in_evaluation_and_at_zero() -> None:
    x = torch.randn(3, 5)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0).train()(x) is x


@pytest.mark.parametrize("shape", [(1,), (7,), (8,), (9,), (3, 5, 7)], ids=str)
def test_dropout_keeps_the_shape_and_follows_the_seed(shape: tuple[int, ...]) -> None:
    x, dropout = torch.ones(shape), Dropout(0.5).train()
    torch.manual_seed(4)
    first = dropout(x)
    torch.manual_seed(4)
    assert torch.equal(first, dropout(x))
    assert first.shape == x.shape


def test_dropout_decides_neighbours_independently() -> None:
    torch.manual_seed(0)
    zero = (Dropout(0.5).train()(torch.ones(80_000)) == 0).double().view(-1, 8)
    correlation = torch.corrcoef(zero.T) - torch.eye(8, dtype=torch.float64)
    assert correlation.abs().max().item() < 0.04


# Intent centres


def make_centers(n_intents: int = 7, width: int = 5) -> IntentCenters:
    torch.manual_seed(3)
    centers = IntentCenters(n_intents, width)
    with torch.no_grad():
        centers.weight.mul_(torch.rand(n_intents, 1) * 3 + 0.2)
    return centers


def naive_nearest(x: Tensor, centers: Tensor) -> list[int]:
    return [min(range(len(centers)), key=lambda k: float((row - centers[k]).square().sum())) for row in x]


def test_fresh_centres_are_unit_rows() -> None:
    torch.testing.assert_close(IntentCenters(6, 9).weight.norm(dim=1), torch.ones(6))


def test_nearest_is_the_loop_over_distances() -> None:
    centers, x = make_centers(), torch.randn(50, 5)
    nearest = centers.nearest(x).tolist()
    assert nearest == naive_nearest(x, centers.weight.detach())
    assert len(set(nearest)) > 1


def test_assign_is_the_nearest_unit_centre_to_the_unit_behaviour() -> None:
    centers, x = make_centers(), torch.randn(50, 5) * 4
    unit_centers = torch.stack([row / row.norm() for row in centers.weight.detach()])
    unit_rows = torch.stack([row / row.norm() for row in x])
    assigned = centers.assign(x)
    assert assigned.tolist() == naive_nearest(unit_rows, unit_centers)
    assert torch.equal(centers.assign(0.01 * x), assigned)


def test_normalise_scales_rows_outside_the_graph() -> None:
    centers = make_centers()
    parameter, before = centers.weight, centers.weight.detach().clone()
    centers.normalise()
    assert centers.weight is parameter
    assert parameter.requires_grad
    assert parameter.grad_fn is None
    torch.testing.assert_close(centers.weight.detach(), torch.stack([row / row.norm() for row in before]))


@pytest.mark.parametrize("fusion", ["shift", "concat"])
def test_fuse_joins_each_vector_with_its_nearest_centre(fusion: str) -> None:
    centers, x = make_centers(), torch.randn(9, 5, requires_grad=True)
    fused = centers.fuse(x, fusion)
    for row, vector, k in zip(fused, x, naive_nearest(x.detach(), centers.weight.detach()), strict=True):
        center = centers.weight[k]
        expected = vector + center if fusion == "shift" else torch.cat([vector, center])
        torch.testing.assert_close(row, expected)


@pytest.mark.parametrize("fusion", ["shift", "concat"])
def test_fuse_sends_gradients_into_vectors_and_centres(fusion: str) -> None:
    centers, x = make_centers(), torch.randn(9, 5, requires_grad=True)
    centers.fuse(x, fusion).sum().backward()
    assert x.grad is not None
    assert centers.weight.grad is not None
    assert torch.equal(x.grad, torch.ones_like(x))
    members = torch.bincount(centers.nearest(x.detach()), minlength=7).float()
    torch.testing.assert_close(centers.weight.grad, members[:, None].expand(7, 5))


# Published names


def published_weights(n_layers: int, width: int, length: int, n_intents: int, rows: int = 13) -> dict[str, Tensor]:
    """Random tensors under the names and shapes of the released program."""
    shapes: dict[str, tuple[int, ...]] = {
        "item_embeddings.weight": (rows, width),
        "position_embeddings.weight": (length, width),
        "LayerNorm.weight": (width,),
        "LayerNorm.bias": (width,),
        "cluster_centers": (n_intents, width),
    }
    for layer in range(n_layers):
        prefix = f"item_encoder.layer.{layer}"
        for part in ("attention.query", "attention.key", "attention.value", "attention.dense"):
            shapes |= {f"{prefix}.{part}.weight": (width, width), f"{prefix}.{part}.bias": (width,)}
        for norm in ("attention.LayerNorm", "intermediate.LayerNorm"):
            shapes |= {f"{prefix}.{norm}.weight": (width,), f"{prefix}.{norm}.bias": (width,)}
        for dense, (out, into) in {"dense_1": (4 * width, width), "dense_2": (width, 4 * width)}.items():
            shapes[f"{prefix}.intermediate.{dense}.weight"] = (out, into)
            shapes[f"{prefix}.intermediate.{dense}.bias"] = (out,)
    generator = torch.Generator().manual_seed(n_layers + width)
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


SIZES = list(itertools.product([1, 2, 3], [(4, 7, 2), (16, 50, 9)]))


@pytest.mark.parametrize(("n_layers", "others"), SIZES, ids=str)
def test_published_weights_there_and_back(n_layers: int, others: tuple[int, int, int]) -> None:
    weights = published_weights(n_layers, *others)
    back = published.published_names(published.translate(weights))
    assert back.keys() == weights.keys()
    assert all(torch.equal(back[name], weights[name]) for name in weights)


@pytest.mark.parametrize(("n_layers", "others"), SIZES, ids=str)
def test_published_weights_fit_a_network_of_the_sizes_they_tell(n_layers: int, others: tuple[int, int, int]) -> None:
    weights = published_weights(n_layers, *others)
    width, length, n_intents = others
    sizes = published.sizes(weights)
    assert sizes == {
        "n_items": 11,
        "embedding_dim": width,
        "max_seq_len": length,
        "n_intents": n_intents,
        "n_layers": n_layers,
    }
    n_items = sizes.pop("n_items")
    network = ELCRecNetwork(resolve("paper", sizes), n_items)
    network.load_state_dict(published.translate(weights))
    query = network.encoder.layers[-1].qkv.weight[:width]
    assert torch.equal(query, weights[f"item_encoder.layer.{n_layers - 1}.attention.query.weight"])


def test_published_half_precision_becomes_float32() -> None:
    weights = {name: value.half() for name, value in published_weights(1, 4, 7, 2).items()}
    assert {value.dtype for value in published.translate(weights).values()} == {torch.float32}


def test_published_weights_ignore_what_they_do_not_need() -> None:
    weights = published_weights(1, 4, 7, 2)
    assert published.translate({**weights, "criterion.weight": torch.ones(1)}).keys() == (
        published.translate(weights).keys()
    )


TOP_NAMES = [name for name in published_weights(1, 4, 7, 2) if not name.startswith("item_encoder")]
LAYER_NAMES = [name for name in published_weights(1, 4, 7, 2) if name.startswith("item_encoder")]


@pytest.mark.parametrize("name", TOP_NAMES)
def test_sizes_name_the_missing_tensor(name: str) -> None:
    weights = published_weights(1, 4, 7, 2)
    del weights[name]
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        published.sizes(weights)


@pytest.mark.parametrize("name", TOP_NAMES + LAYER_NAMES)
def test_translate_names_the_missing_tensor(name: str) -> None:
    weights = published_weights(2, 4, 7, 2)
    del weights[name]
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        published.translate(weights)


def test_a_missing_layer_is_named() -> None:
    weights = published_weights(3, 4, 7, 2)
    rest = {name: value for name, value in weights.items() if ".layer.1." not in name}
    with pytest.raises(RunError, match=r"layer\.1\."):
        published.translate(rest)


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("item_embeddings.weight", (52,)),
        ("item_embeddings.weight", (13, 4, 1)),
        ("position_embeddings.weight", (7, 5)),
        ("LayerNorm.bias", (5,)),
        ("cluster_centers", ()),
        ("cluster_centers", (8,)),
        ("cluster_centers", (2, 5)),
    ],
    ids=str,
)
def test_sizes_refuse_a_tensor_of_another_shape(name: str, shape: tuple[int, ...]) -> None:
    weights = {**published_weights(1, 4, 7, 2), name: torch.zeros(shape)}
    with pytest.raises(RunError, match=name.replace(".", r"\.")):
        published.sizes(weights)


@pytest.mark.parametrize("kind", [torch.int64, torch.bool, torch.complex64], ids=str)
@pytest.mark.parametrize("name", [TOP_NAMES[0], LAYER_NAMES[0]])
def test_sizes_refuse_a_tensor_that_holds_no_weights(name: str, kind: torch.dtype) -> None:
    weights = published_weights(1, 4, 7, 2)
    with pytest.raises(RunError, match=r"not published ELCRec weights.*holds"):
        published.sizes({**weights, name: weights[name].to(kind)})


def test_a_layer_may_have_any_number_for_a_name() -> None:
    weights = {**published_weights(1, 4, 7, 2), f"item_encoder.layer.{'9' * 5000}.a": torch.zeros(1)}
    assert published.sizes(weights)["n_layers"] == 2
    with pytest.raises(RunError, match=r"layer\.1\."):
        published.translate(weights)


def test_translate_refuses_parts_that_do_not_stack() -> None:
    name = "item_encoder.layer.0.attention.key.weight"
    weights = {**published_weights(1, 4, 7, 2), name: torch.zeros(4, 5)}
    with pytest.raises(RunError, match="not published ELCRec weights"):
        published.translate(weights)


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("filter_width", [0, 3])
def test_newest_only_is_the_newest_of_all(n_layers: int, filter_width: int) -> None:
    torch.manual_seed(0)
    encoder = SequenceEncoder(30, 6, 8, n_layers, 2, 0.5, filter_width=filter_width).eval()
    items = torch.randint(1, 30, (7, 9))
    batch = lay_out(items, torch.tensor([3, 1, 9, 6, 3, 2, 7]), 6, "skip")
    torch.testing.assert_close(encoder(batch, newest_only=True), encoder(batch)[batch.last_B])


def test_a_filter_mixes_the_newest_channel_by_channel() -> None:
    filter, x_TD, column_T = CausalConvolution(2, WIDTH), torch.randn(2 * 4, WIDTH), torch.arange(4).repeat(2)
    assert not filter(x_TD, column_T).any()  # a layer begins with attention alone
    newest, before = torch.randn(2, WIDTH)
    filter.weight.data = torch.stack([newest, before])
    found = filter(x_TD, column_T).view(2, 4, WIDTH)
    x_RWD = x_TD.view(2, 4, WIDTH)
    torch.testing.assert_close(found[:, 0], newest * x_RWD[:, 0])  # nothing comes before
    torch.testing.assert_close(found[:, 1:], newest * x_RWD[:, 1:] + before * x_RWD[:, :-1])


def test_a_filter_never_looks_ahead() -> None:
    encoder = make_encoder(filter_width=4)
    item_BW, length_B = rows_of([9])
    changed = item_BW.clone()
    changed[0, 6] = 1 + changed[0, 6] % N_ITEMS
    before, after = (encode(encoder, items, length_B, "skip") for items in (item_BW, changed))
    torch.testing.assert_close(before[0, :6], after[0, :6])
    assert not torch.isclose(before[0, 6:9], after[0, 6:9]).all(dim=1).any()
