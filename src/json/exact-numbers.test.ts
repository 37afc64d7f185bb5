import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { describeInexact, findInexactNumbers, isExact, isRawNumber, parseJson } from './index.ts'

const exact = [
  '0',
  '-0',
  '1',
  '-1.50',
  '9007199254740991',
  '-9007199254740991',
  '0.1',
  '0.10000000000000001',
  '1e3',
  '1E+22',
  '1.0',
  '9007199254740992',
  '1175930294816452600',
  '1000000000000000000',
]
const exactLong = ['1e300', '1.7976931348623157e308', '0.1000000000000000055511151231257827', '0.0', '0e999', '123456789012345.6']
const inexact = ['1175930294816452671', '-9007199254740993', '18446744073709551615', '1152921504606846976', '1e400', '-1e999', '1e-400']
const inexactLong = [
  '0.1234567890123456789',
  '1175930294816452671.0',
  '3.14159265358979323846',
  '1234567890.12345678',
  `1${'0'.repeat(400)}`,
]

describe('a number', () => {
  it.each([...exact, ...exactLong])('%s is exact', (text) => {
    expect(isExact(text)).toBe(true)
    expect(parseJson(`{"a":[${text}]}`)).toEqual({ a: [JSON.parse(text)] })
  })

  it.each([...inexact, ...inexactLong])('%s is kept as it is written', (text) => {
    expect(isExact(text)).toBe(false)
    for (const json of [text, `{"a":[${text}]}`, `{"a" :\n ${text}}`, `[1,${text}]`]) {
      const whole = json.replaceAll(/\s/gu, '')
      expect(JSON.stringify(parseJson(json))).toBe(whole)
    }
    expect(isRawNumber(parseJson(text))).toBe(true)
  })

  it('that JavaScript writes is exact', () => {
    const numbers = fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), fc.maxSafeInteger())
    fc.assert(
      fc.property(numbers, (number) => {
        const text = JSON.stringify(number)
        return isExact(text) && parseJson(text) === JSON.parse(text)
      }),
    )
  })

  it('with more digits is never silently rounded', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 64n), max: 2n ** 64n }), (number) => {
        return JSON.stringify(parseJson(`{"a":${number}}`)) === `{"a":${number}}`
      }),
    )
  })
})

it('everything else is read as ever', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      expect(JSON.stringify(parseJson(text))).toBe(JSON.stringify(JSON.parse(text)))
    }),
  )
  expect(parseJson('{"a":"x: 1175930294816452671","__proto__":1}')).toEqual(JSON.parse('{"a":"x: 1175930294816452671","__proto__":1}'))
  for (const wrong of ['{"a":1175930294816452671', '[1175930294816452671-]', '[01175930294816452671]', '[-]', '1175930294816452671 2'])
    expect(() => parseJson(wrong)).toThrow(SyntaxError)
})

it('a text cannot be taken for a number, whatever is in it', () => {
  const text = String.raw`{"a":1175930294816452671,"b":"\ue0001","c":"\uE000\ue0002","\ue000":"","d":"1175930294816452671"}`
  const { a, ...others } = parseJson(text) as Record<string, unknown>
  expect(isRawNumber(a)).toBe(true)
  expect(others).toEqual({ b: '\uE0001', c: '\uE000\uE0002', '\uE000': '', d: '1175930294816452671' })
})

it('a value nested as deep as the API server admits is read', () => {
  const depth = 10_000
  const text = `${'['.repeat(depth)}1175930294816452671${']'.repeat(depth)}`
  expect(findInexactNumbers(parseJson(text), '')).toEqual([{ field: '[0]'.repeat(depth), text: '1175930294816452671' }])
})

it('is found with its field, and described with what to write', () => {
  const value = parseJson('{"a":{"b":[1,{"c-d":1175930294816452671}]},"e":1e400,"f":2}')
  expect(findInexactNumbers(value, 'spec.payload')).toEqual([
    { field: 'spec.payload.a.b[1].c-d', text: '1175930294816452671' },
    { field: 'spec.payload.e', text: '1e400' },
  ])
  expect(describeInexact('1175930294816452671')).toBe(
    '1175930294816452671 would arrive as 1175930294816452600, because numbers keep about 16 digits; write it as text, in quotes: "1175930294816452671"',
  )
  expect(describeInexact('1e400')).toBe('1e400 is too large for a number; write it as text, in quotes: "1e400"')
})
