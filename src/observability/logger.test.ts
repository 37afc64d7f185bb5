import { expect, test } from 'vitest'
import { createLogger } from './index.ts'

function logged(fields: object, message = 'something happened'): string {
  const lines: string[] = []
  createLogger({ level: 'info', stream: { write: (line) => void lines.push(line) } }).info(fields, message)
  return lines.join('')
}

test('a line is JSON with a level, a time, fields and a constant message', () => {
  expect(JSON.parse(logged({ pool: 'shop/mail' }))).toEqual({
    level: 'info',
    time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/u),
    pool: 'shop/mail',
    msg: 'something happened',
  })
})

test.each<[string, object]>([
  ['a field', { password: 's3cr3t' }],
  ['a field of a field', { broker: { token: 's3cr3t', name: 'b' } }],
  ['a field three levels down', { request: { headers: { authorization: 'Basic s3cr3t' } } }],
  ['a value that is not a text', { credentials: { user: 'a', key: 's3cr3t' }, cookie: ['s3cr3t'] }],
  ['another spelling, deeper', { a: { b: { c: { 'Redis-Password': 's3cr3t', ACCESS_TOKEN: 's"s3cr3t', clientSecret: 's3cr3t' } } } }],
  ['a header in a text', { reason: 'refused: Authorization: Bearer s3cr3t.s3cr3t-x_y' }],
  ['an address in a text', { reason: 'cannot connect to redis://user:s3cr3t@redis:6379/0' }],
  ['an address without a user', { reason: 'cannot connect to redis://:s3cr3t@redis:6379/0' }],
  ['the message of an error and of its cause', { err: new Error('http://u:s3cr3t@x', { cause: new Error('Bearer s3cr3t.s3cr3t') }) }],
])('%s with a credential is not written', (_, fields) => {
  const line = logged(fields)
  expect(line).not.toContain('s3cr3t')
  expect(line).toContain('[redacted]')
  expect(JSON.parse(line)).toMatchObject({ msg: 'something happened' })
})

test('words that only resemble credentials stay', () => {
  const fields = { key: 'shop/mail', tokens: 3, url: 'https://api:6443/x', reason: 'the bearer of bad news' }
  expect(JSON.parse(logged(fields))).toMatchObject(fields)
})
