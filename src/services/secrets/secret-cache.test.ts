/** What a cache with one caller does is shown by the tests of the broker directory, which reads through it. */
import { expect, test } from 'vitest'
import { fakeClock } from '../../clock/index.ts'
import { silentLogger } from '../../observability/index.ts'
import { createSecretCache, type SecretValues } from './secret-cache.ts'

function world() {
  const reads: { readonly signal: AbortSignal; readonly answer: (values: SecretValues) => void }[] = []
  const secrets = createSecretCache({
    readSecret(_namespace, _name, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<SecretValues>()
      signal.addEventListener('abort', () => reject(signal.reason))
      reads.push({ signal, answer: resolve })
      return promise
    },
    clock: fakeClock(),
    log: silentLogger,
  })
  const ask = () => {
    const giveUp = new AbortController()
    const reading = secrets.read('acme', 'auth', { signal: giveUp.signal })
    return { reading, giveUp: () => giveUp.abort(new Error('late')) }
  }
  return { secrets, reads, ask }
}

const values = { password: 'one' }

test('callers that ask at once share a read, and the first that gives up does not end it for the others', async () => {
  const { reads, ask } = world()
  const [first, second] = [ask(), ask()]
  first.giveUp()
  await expect(first.reading).rejects.toThrow('late')
  expect([reads.length, reads[0]?.signal.aborted]).toEqual([1, false])
  reads[0]?.answer(values)
  expect(await second.reading).toEqual({ kind: 'Values', values })
})

test('the last caller that gives up ends the read, and the next one begins another', async () => {
  const { reads, ask } = world()
  const [first, second] = [ask(), ask()]
  for (const { giveUp } of [first, second]) giveUp()
  await expect(first.reading).rejects.toThrow('late')
  await expect(second.reading).rejects.toThrow('late')
  expect(reads[0]?.signal.aborted).toBe(true)
  const third = ask()
  reads[1]?.answer(values)
  expect(await third.reading).toEqual({ kind: 'Values', values })
})

test('a caller without a limit keeps a read going when others give up', async () => {
  const { secrets, reads, ask } = world()
  const patient = secrets.read('acme', 'auth')
  const other = ask()
  other.giveUp()
  await expect(other.reading).rejects.toThrow('late')
  reads[0]?.answer(values)
  expect(await patient).toEqual({ kind: 'Values', values })
})
