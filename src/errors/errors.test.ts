import { expect, test } from 'vitest'
import { errorCodes, errorMessage, hasCode, taskmillError } from './index.ts'

test('an error carries code, details and cause', () => {
  const cause = new Error('socket closed')
  const error = taskmillError('TM_KUBE_UNAVAILABLE', 'cannot list pods', { cause, details: { status: 503 } })
  expect(error).toMatchObject({ name: 'TaskmillError', code: 'TM_KUBE_UNAVAILABLE', details: { status: 503 }, cause })
  expect(hasCode(error, 'TM_KUBE_GONE', 'TM_KUBE_UNAVAILABLE')).toBe(true)
  expect(hasCode(error, 'TM_KUBE_GONE')).toBe(false)
  expect(hasCode(cause, 'TM_KUBE_GONE')).toBe(false)
})

test.each([
  [
    'a chain',
    taskmillError('TM_KUBE_UNAVAILABLE', 'cannot list pods', { cause: new Error('socket\n closed') }),
    'cannot list pods: socket closed',
  ],
  ['a cause said twice', new Error('cannot list: refused', { cause: new Error('refused') }), 'cannot list: refused'],
  ['an empty aggregate', new AggregateError([new Error('connect ECONNREFUSED ::1:1')]), 'connect ECONNREFUSED ::1:1'],
  ['a string', 'plain', 'plain'],
  ['nothing to read', { password: 'x' }, 'a value that is not an error was thrown (object)'],
  ['undefined', undefined, 'undefined was thrown'],
])('the message of %s', (_, thrown, message) => {
  expect(errorMessage(thrown)).toBe(message)
})

test('each code has a sentence', () => {
  for (const [code, sentence] of Object.entries(errorCodes)) {
    expect(code).toMatch(/^TM_[A-Z_]+$/)
    expect(sentence).toMatch(/^[A-Z].*\.$/)
  }
})
