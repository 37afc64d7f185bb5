import { describe, expect, it } from 'vitest'
import { parseJson } from '../json/index.ts'
import { compile, compileDocument, compileTemplate, compileText, evaluateRule } from './index.ts'

const run = (source: string, values: Record<string, unknown> = {}) => compile(source, { variables: Object.keys(values) }).evaluate(values)
const fill = (source: string, values: Record<string, unknown> = {}) =>
  compileTemplate(source, { variables: Object.keys(values) }).evaluate(values)
const thrown = (act: () => unknown): { code: string; message: string } => {
  try {
    act()
  } catch (error) {
    return error as never
  }
  throw new Error('nothing was thrown')
}

describe('values', () => {
  it.each([
    ['1 + a', { a: 2 }, 3],
    ['a % 2 == 0', { a: 4 }, true],
    ['a * 1.5', { a: 2.5 }, 3.75],
    ['[a, a + 1].map(x, x * x)', { a: 2 }, [4, 9]],
    ['{"n": size(a), "f": 0.5}', { a: 'héé' }, { n: 3, f: 0.5 }],
    ['a.?b.orValue("none")', { a: {} }, 'none'],
    ['has(a.b) ? a.b : null', { a: {} }, null],
    ['timestamp(a) + duration("90m")', { a: '2026-01-01T00:00:00Z' }, '2026-01-01T01:30:00.000Z'],
    ['duration("90.5s")', {}, '90.5s'],
    ['timestamp(a).getHours("Europe/Berlin")', { a: '2026-01-01T00:00:00Z' }, 1],
    ['uint(3) + 4u', {}, 7],
    ['b.all(x, x.n > 1) && "k" in c', { b: [{ n: 2 }], c: { k: 1, skipped: undefined } }, true],
  ])('%s', (source, values, want) => {
    expect(run(source, values)).toEqual(want)
  })

  it.each([
    ['a * 2.0', [6, 7]],
    ['a * 2', [6, 7]],
    ['a / 2', [1.5, 1.75]],
    ['a / 2.0', [1.5, 1.75]],
    ['a % 2', [1, 1.5]],
    ['a + 1', [4, 4.5]],
    ['1 - a', [-2, -2.5]],
    ['-a', [-3, -3.5]],
    ['a > 3', [false, true]],
    ['a == 3', [true, false]],
    ['a in [3, 3.5]', [true, true]],
    ['[a, 1].max()', [3, 3.5]],
    [
      '[1, 2].map(x, x * a)',
      [
        [3, 6],
        [3.5, 7],
      ],
    ],
    ['type(a) == double', [true, true]],
    ['string(a)', ['3', '3.5']],
    ['a > 1 ? a : 0.5', [3, 3.5]],
  ])('a number of JSON behaves by its type, not by its value: %s', (source, [ofThree, ofMore]) => {
    const expression = compile(source, { variables: ['a'] })
    expect(expression.evaluate({ a: 3 })).toEqual(ofThree)
    expect(expression.evaluate({ a: 3.5 })).toEqual(ofMore)
  })

  it('a long integer of JSON is exact, and only text leaves the expression', () => {
    const a = parseJson('{"id":1175930294816452671,"least":-9223372036854775808}')
    expect(run('a.id == 1175930294816452671 && a.id != 1175930294816452672 && a.least < a.id', { a })).toBe(true)
    expect(run('[string(a.id), string(a.id + 1), string(type(a.id) == int)]', { a })).toEqual([
      '1175930294816452671',
      '1175930294816452672',
      'true',
    ])
    // A double happens to have its digits.
    expect(run('[a == 1175930294816452600, a + 1 == 1175930294816452601, a / 2 > 5]', { a: 1175930294816452600 })).toEqual([
      true,
      true,
      true,
    ])
    expect(run('a', { a: 1175930294816452600 })).toBe(1175930294816452600)
    expect(thrown(() => run('a.id', { a })).message).toContain('the result 1175930294816452671 is larger')
    for (const number of ['1e400', '18446744073709551616', '0.1234567890123456789'])
      expect(thrown(() => run('size(a)', { a: parseJson(`[{"b":${number}}]`) }))).toMatchObject({
        code: 'TM_EXPRESSION_FAILED',
        message: expect.stringContaining(`a[0].b: ${number}`),
      })
  })

  it("yesterday's local date is one expression, also on the days of the clock change", () => {
    const yesterday = (slot: string) => run('timestamp(slot).localDate("Europe/Berlin", -1)', { slot })
    // 00:30 in Berlin on the days after the short and the long one.
    expect(yesterday('2026-03-29T22:30:00Z')).toBe('2026-03-29')
    expect(yesterday('2026-10-25T23:30:00Z')).toBe('2026-10-25')
    expect(yesterday('2026-12-31T23:30:00Z')).toBe('2026-12-31')
  })

  it('reads fields whose names mean something to the language or to JavaScript', () => {
    const a = JSON.parse('{"x-y": 1, "constructor": 2, "__proto__": 3, "if": 4, "in": 5, "toString": 6, "": 7}') as object
    expect(run('[a["x-y"], a.constructor, a.__proto__, a.if, a["in"], a.toString, a[""]]', { a })).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(run('a', { a })).toEqual(a)
  })

  it('evaluates again and again with other values', () => {
    const twice = compile('a + a', { variables: ['a'] })
    expect([1, 'x', [1]].map((a) => twice.evaluate({ a }))).toEqual([2, 'xx', [1, 1]])
  })
})

describe('templates', () => {
  it.each([
    ['plain', 'plain'],
    ['', ''],
    ['$(n)', 3],
    ['$(items)', ['a']],
    ['n is $(n), items are $(items)', 'n is 3, items are ["a"]'],
    ['$$(n) costs 5$', '$(n) costs 5$'],
    ['$(n)$(n)', '33'],
    [`$("a)" + 'b(' + r'\\d' + "\\"") end`, 'a)b(\\d" end'],
    ['$((n + 1) * 2)', 8],
    ['$("""it\'s "quoted" )""")', 'it\'s "quoted" )'],
  ])('%s', (source, want) => {
    expect(fill(source, { n: 3, items: ['a'] })).toEqual(want)
  })

  it.each([
    ['a $(n', 'TM_EXPRESSION_INVALID', '"$(" at character 3 is not closed with ")"; write "$$("'],
    ['ab $(n + )', 'TM_EXPRESSION_INVALID', 'at character 10'],
    ['ab $()', 'TM_EXPRESSION_INVALID', 'the expression is empty'],
    ['ab $(null)', 'TM_EXPRESSION_FAILED', 'null cannot be put into a text'],
  ])('%s is refused', (source, code, message) => {
    expect(thrown(() => fill(source, { n: 3 }))).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

describe('texts', () => {
  it.each([
    ['plain', 'plain'],
    ['$(n)', '3'],
    ['$(items)', '["a"]'],
    ['--n=$(n)', '--n=3'],
    ['$$(HOME)', '$(HOME)'],
  ])('%s', (source, want) => {
    expect(compileText(source, { variables: ['n', 'items'] }).evaluate({ n: 3, items: ['a'] })).toBe(want)
  })

  it('null has no place in one', () => {
    expect(thrown(() => compileText('$(null)', { variables: [] }).evaluate({})).message).toContain('null cannot be put into a text')
  })
})

describe('documents', () => {
  const variables = ['n', 'items']
  it('a value without expressions is given back as it is, and so are the parts of one with some', () => {
    const plain = { a: 1, b: ['text', { c: null }] }
    const whole = compileDocument(plain, 'payload', { variables })
    expect(whole.ok && whole.document.evaluate({})).toBe(plain)
    const mixed = compileDocument({ plain, n: '$(n)' }, 'payload', { variables })
    const filled = mixed.ok ? (mixed.document.evaluate({ n: 3 }) as { readonly plain: unknown }) : undefined
    expect(filled).toEqual({ plain, n: 3 })
    expect(filled?.plain).toBe(plain)
  })

  it('every text is filled in, however deep, and what is no text is left', () => {
    const value = { a: '$(n)', b: [{ c: 'n=$(n)', d: 1, e: null }, true], __proto: '$(items)', $: {} }
    const compiled = compileDocument(value, 'payload', { variables })
    expect(compiled.ok && compiled.document.evaluate({ n: 3, items: ['a'] })).toEqual({
      a: 3,
      b: [{ c: 'n=3', d: 1, e: null }, true],
      __proto: ['a'],
      $: {},
    })
    expect(compiled.ok && compiled.document.uses).toEqual([
      { use: ['n'], field: 'payload.a' },
      { use: ['n'], field: 'payload.b[0].c' },
      { use: ['items'], field: 'payload.__proto' },
    ])
  })

  it('a number that its receiver would read otherwise is refused', () => {
    const compiled = compileDocument(parseJson('{"a":[1,{"b-c":1175930294816452671}],"d":1e400,"e":0.5}'), 'payload', { variables })
    expect(!compiled.ok && compiled.faults).toEqual([
      {
        reason: 'InvalidNumber',
        field: 'payload.a[1].b-c',
        message: expect.stringMatching(/^1175930294816452671 would arrive as .*write it as text, in quotes: "1175930294816452671"$/u),
      },
      { reason: 'InvalidNumber', field: 'payload.d', message: '1e400 is too large for a number; write it as text, in quotes: "1e400"' },
    ])
  })

  it('all that is wrong is said with its place', () => {
    const deep = Array.from({ length: 5_000 }).reduce<unknown>((inner) => [inner], 'x')
    const compiled = compileDocument({ a: '$(x)', b: ['$(', '$(1 +)'], deep }, 'payload', { variables })
    expect(!compiled.ok && compiled.faults.map(({ field }) => field)).toEqual([
      'payload.a',
      'payload.b[0]',
      'payload.b[1]',
      `payload.deep${'[0]'.repeat(99)}`,
    ])
  })
})

describe('the variables and the result of an expression', () => {
  it.each([
    ['1 + 2', [], 'int'],
    [
      'a.b.c > 0 && a.b.c < d.e',
      [
        ['a', 'b', 'c'],
        ['d', 'e'],
      ],
      'bool',
    ],
    ['a["x-y"].b', [['a', 'x-y', 'b']], 'dyn'],
    ['has(a.b.c) || a.?b[?"c"].orValue(true)', [['a', 'b', 'c']], 'bool'],
    ['a[d].b', [['a'], ['d']], 'dyn'],
    ['a.all(k, a[k].x == d.y)', [['a'], ['d', 'y']], 'bool'],
    ['[1].map(x, x + d.e)', [['d', 'e']], 'list'],
    ['d / 2 > 1', [['d']], 'bool'],
    ['size(d) / 2', [['d']], 'int'],
    [
      'a.b.startsWith(d.e)',
      [
        ['a', 'b'],
        ['d', 'e'],
      ],
      'bool',
    ],
    ['"a.b" + string(d)', [['d']], 'string'],
    ['{"k": a.b}["k"]', [['a', 'b']], 'dyn'],
    ['a[0].b', [['a']], 'dyn'],
  ])('%s', (source, uses, type) => {
    const compiled = compile(source, { variables: ['a', 'd'] })
    expect(compiled.uses).toEqual(uses)
    expect(compiled.type).toBe(type)
  })

  it('of a text with several', () => {
    expect(compileTemplate('$(a.b) and $(d)', { variables: ['a', 'd'] })).toMatchObject({ uses: [['a', 'b'], ['d']], type: 'string' })
  })
})

describe('a fault is reported with its place and with a correction', () => {
  it.each([
    ['1 +', 'TM_EXPRESSION_INVALID', 'unexpected token: EOF at character 4; the end of the expression is missing'],
    ['a = 1', 'TM_EXPRESSION_INVALID', 'write == for equality'],
    ['a > 1 & a < 2', 'TM_EXPRESSION_INVALID', 'write && for and'],
    ['b + 1', 'TM_EXPRESSION_INVALID', 'unknown variable: b at character 1; known names: a'],
    ['a.b-c.d', 'TM_EXPRESSION_INVALID', 'unknown variable: c at character 5; write a name with a dash in brackets'],
    ['1 + "x"', 'TM_EXPRESSION_INVALID', 'no such overload: int + string at character 1; both sides must have the same type'],
    ['nope(a)', 'TM_EXPRESSION_INVALID', "found no matching overload for 'nope(dyn)'"],
    ['a.c', 'TM_EXPRESSION_FAILED', 'no such key: c at character 3; check with has(…) first'],
    ['a.constructor', 'TM_EXPRESSION_FAILED', 'no such key: constructor'],
    ['a.__proto__', 'TM_EXPRESSION_FAILED', 'no such key'],
    ['1 / int(a.n)', 'TM_EXPRESSION_FAILED', 'division by zero at character 1; check first: b != 0 ? a / b : 0'],
    ['1.5 / a.n', 'TM_EXPRESSION_FAILED', 'division by zero'],
    ['1.5 % a.n', 'TM_EXPRESSION_FAILED', 'modulo by zero'],
    ['1e308 * 10.0', 'TM_EXPRESSION_FAILED', 'number overflow: 1e+308 * 10 is too large at character 1'],
    ['9223372036854775807 + 1', 'TM_EXPRESSION_FAILED', 'integer overflow'],
    ['[double("inf")]', 'TM_EXPRESSION_FAILED', 'the result is infinite, which JSON cannot hold'],
    ['double("nan")', 'TM_EXPRESSION_FAILED', 'the result is not a number (NaN), which JSON cannot hold'],
    ['9223372036854775808', 'TM_EXPRESSION_INVALID', 'does not fit into 64 bits at character 1; write it as a double with .0'],
    ['string(b"é")', 'TM_EXPRESSION_INVALID', 'bytes in quotes hold only ASCII at character 8; write bytes("…")'],
    ['"abc".substring(dyn(0.5))', 'TM_EXPRESSION_FAILED', 'because 0.5 is not a whole number'],
    ['int("1.5")', 'TM_EXPRESSION_FAILED', '"1.5" cannot be converted to int at character 1; write digits only'],
    ['"a; b" < a.n', 'TM_EXPRESSION_FAILED', 'no such overload: string < double at character 1'],
    ['{"k": 1, "k": 2}', 'TM_EXPRESSION_FAILED', 'the map has the key k twice'],
    ['timestamp("now") + 1', 'TM_EXPRESSION_INVALID', 'no such overload: Timestamp + int'],
    ['"x".matches("(?=x)")', 'TM_EXPRESSION_FAILED', 'without look-around and back-references'],
    ['timestamp("2026-01-01T00:00:00Z").getHours("Mars/Base")', 'TM_EXPRESSION_FAILED', 'Mars/Base'],
    ['b"x"', 'TM_EXPRESSION_FAILED', 'the result is bytes'],
    ['a.?c', 'TM_EXPRESSION_FAILED', 'add .orValue(…)'],
    ['9007199254740993', 'TM_EXPRESSION_TOO_COSTLY', 'convert it to text with string(…)'],
  ])('%s', (source, code, message) => {
    expect(thrown(() => run(source, { a: { n: 0 } }))).toMatchObject({ code, message: expect.stringContaining(message) })
  })
})

describe('limits', () => {
  const ten = Array.from({ length: 10 }, (_, index) => index)
  const doubled = (text: string) => `[${text}]${'.map(x, x + x)'.repeat(40)}`
  it.each([
    ['its length', 'a'.repeat(5_000)],
    ['its size', Array.from({ length: 1_000 }, () => '1').join('+')],
    ['its depth', `${'('.repeat(60)}1${')'.repeat(60)}`],
    ['loops in loops', 'l.all(a, l.all(b, l.all(c, l.all(d, l.all(e, l.all(f, true))))))'],
    ['a loop whose errors are swallowed', 'l.exists(a, l.exists(b, l.exists(c, l.exists(d, l.exists(e, l.exists(f, false)))))) || true'],
    ['a text that doubles', doubled('"aaaa"')],
    ['a list that doubles', doubled('[1, 2]')],
    ['a text that is replaced by a large one', 't.replace("", t)'],
    ['a text that is joined of large ones', 'l.map(x, t).map(x, l.map(y, x)).flatten().map(x, x + x).join("")'],
    ['a format of large texts', `"${'%s'.repeat(30)}".format(l.map(x, t) + l.map(x, t) + l.map(x, t))`],
    ['matches that each read the rest', 't.findAll("a(.*b)?")'],
    ['many reads of a large text', '["x"].map(a, l.all(b, l.all(c, l.all(d, t.contains("b") == false))))'],
  ])('%s', (_, source) => {
    expect(thrown(() => run(source, { l: ten, t: 'a'.repeat(50_000) })).code).toBe('TM_EXPRESSION_TOO_COSTLY')
  })

  it('its input', () => {
    expect(thrown(() => run('size(l)', { l: Array.from({ length: 100_001 }, () => 0) })).code).toBe('TM_EXPRESSION_TOO_COSTLY')
  })

  it('a regular expression that would never end elsewhere is answered', () => {
    expect(run('t.matches("^(a+)+$")', { t: `${'a'.repeat(50_000)}!` })).toBe(false)
  })
})

describe('rules of Kubernetes', () => {
  it.each([
    ['self.minReplicas <= self.maxReplicas', { minReplicas: 1, maxReplicas: 1 }, undefined, true],
    ['self.minReplicas <= self.maxReplicas', { minReplicas: 2, maxReplicas: 1 }, undefined, false],
    ['self == oldSelf', 'a', undefined, true],
    ['self == oldSelf', { a: [1, { b: 2 }] }, { a: [1, { b: 2 }] }, true],
    ['self == oldSelf', { a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, false],
    [`self.matches('^[a-z]{1,5}:[0-9]{1,5}$') && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535`, 'redis:6379', undefined, true],
    [`self.matches('^[a-z]{1,5}:[0-9]{1,5}$') && int(self.substring(self.lastIndexOf(':') + 1)) <= 65535`, 'redis:70000', undefined, false],
    ["size(self) > 0 && self.all(x, has(x.name) && x.name != '')", [{ name: 'a' }], undefined, true],
    ["timestamp('2000-01-01T00:00:00Z').getHours(self) >= 0", 'Europe/Berlin', undefined, true],
  ])('%s of %j', (rule, self, oldSelf, want) => {
    expect(evaluateRule(rule, self, oldSelf)).toBe(want)
  })

  it('a rule that yields no truth, or fails, throws', () => {
    expect(thrown(() => evaluateRule('1 + 1', {}))).toMatchObject({ code: 'TM_EXPRESSION_FAILED' })
    expect(thrown(() => evaluateRule("timestamp('2000-01-01T00:00:00Z').getHours(self) >= 0", 'Mars/Base'))).toMatchObject({
      code: 'TM_EXPRESSION_FAILED',
    })
  })
})
