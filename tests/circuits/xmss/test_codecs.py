"""Byte encodings are canonical: what decodes encodes to the same bytes, the rest is refused with a reason."""

from hypothesis import given, settings
from hypothesis import strategies as st

from circuits.xmss.errors import XmssError, XmssReason
from circuits.xmss.scheme import PublicKey, Signature, signature_bytes

LENGTHS = st.sampled_from([0, 1, 52, 53, 54, signature_bytes(8), signature_bytes(8) + 4, signature_bytes(18)])


@st.composite
def mostly_small_words(draw):
    """Bytes of an interesting length; words below p so that some decode, then one byte replaced."""
    data = bytearray(draw(LENGTHS))
    for i in range(len(data)):
        if i % 4 != 3:
            data[i] = i * 37 & 255
    if data:
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    return bytes(data)


@settings(max_examples=150, deadline=None)
@given(st.one_of(mostly_small_words(), st.binary(max_size=60)), st.sampled_from([PublicKey, Signature]))
def test_decoding_is_the_inverse_of_encoding_or_a_typed_refusal(data, kind):
    try:
        decoded = kind.decode(data)
    except XmssError as error:
        assert error.reason in (XmssReason.MALFORMED, XmssReason.HEIGHT)
    else:
        assert decoded.encode() == data
