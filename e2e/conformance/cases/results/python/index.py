# -*- coding: utf-8 -*-
"""One handler for each kind of result."""
import collections
import decimal
import json


def give(value):
    return lambda event, context: value


def none(event, context):
    pass


bytes = give(b'\x00\x01\x02\xff\xfe\n\r\x80')
byteArray = give(bytearray(b'\x00\xff'))
text = give(u'h\u00e9llo \u4e16\u754c \U0001f600\n')
utf8Literal = give('héllo 世界')
emptyText = give('')
integer = give(42)
zero = give(0)
fraction = give(-1.5)
yes = give(True)
no = give(False)
object = give({'b': 1, 'a': u'h\u00e9llo', 'nested': {'list': [1, 'two', None, {'three': 3}], 'none': None}})
list = give([1, 'two', None, True])
tuple = give((1, 'two'))
decimalNumber = give({'price': decimal.Decimal('1.5')})
intKeys = give({1: 'one', 2: 'two'})
ordered = give(collections.OrderedDict([('z', 1), ('a', 2)]))
dumped = give(json.dumps({'already': 'text'}))
