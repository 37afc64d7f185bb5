import { expect, it } from 'vitest'
import { compilePayload } from './payload.ts'

const slot = '2026-11-29T00:00:00Z'
const evaluated = (payload: unknown): unknown => {
  const compiled = compilePayload(payload, 'spec.task.payload', ['slot'])
  if (!compiled.ok) throw new Error(JSON.stringify(compiled.faults))
  return compiled.payload.evaluate({ slot })
}

it('fills in the slot wherever a text asks for it, and leaves all else as it is', () => {
  const payload = {
    at: '$(slot)',
    text: 'for $(slot)!',
    deep: [{ a: ['$(slot)', 1, null, true] }],
    raw: '$$(slot)',
    plain: '$slot',
    n: 1.5,
  }
  expect(evaluated(payload)).toEqual({
    at: slot,
    text: `for ${slot}!`,
    deep: [{ a: [slot, 1, null, true] }],
    raw: '$(slot)',
    plain: '$slot',
    n: 1.5,
  })
})

it('keeps the type of what is one expression', () => {
  expect(evaluated({ year: '$(timestamp(slot).getFullYear())', days: '$([1, 2])' })).toEqual({ year: 2026, days: [1, 2] })
})

it.each([
  [{ a: { b: ['x', '$(slott)'] } }, 'spec.task.payload.a.b[1]', 'known here: slot'],
  [{ a: '$(slot' }, 'spec.task.payload.a', 'not closed'],
  [{ a: '$()' }, 'spec.task.payload.a', 'empty'],
])('says at once what is wrong with %j, and where', (payload, field, message) => {
  const faults = [{ field, message: expect.stringContaining(message) }]
  expect(compilePayload(payload, 'spec.task.payload', ['slot'])).toMatchObject({ ok: false, faults })
})
