import type { Redis } from 'ioredis'
import { dispatcherKey, ownersKey, runKey } from '../contract/index.ts'
import { countKeys, countOutcomes } from './counts.ts'
import { installationOf, parseMarker } from './markers.ts'
import type { BrokerRuns, RunAnswer } from './run-port.ts'
import { callScript, loadScript } from './script.ts'

const readScript = loadScript('read-run')
const appendScript = loadScript('append-run', 'count-ends')
const deleteScript = loadScript('delete-run')

/** Of one reply: it holds up everybody else. */
const bytesPerRead = 2_000_000

/** The decision logs of runs, that only the dispatcher may write. Errors are those of the connection. */
export function createRuns(redis: Redis, keyPrefix: string): Pick<BrokerRuns, 'readRun' | 'appendRun' | 'deleteRun'> {
  const keysOf = (run: string) => [runKey(keyPrefix, run), ownersKey(keyPrefix, installationOf(run))]
  return {
    async readRun(run, from) {
      const [reply] = await callScript(redis, readScript, [{ keys: keysOf(run), args: [run, from, bytesPerRead] }])
      const [brokerTimeMs, length, marker, ...entries] = reply as readonly [number, number, string, ...string[]]
      return { entries, length, marker: parseMarker(marker), brokerTimeMs }
    },

    async appendRun({ run, expectedLength, entries, marker, proof, counts = [] }) {
      const [reply] = await callScript(redis, appendScript, [
        {
          keys: [
            dispatcherKey(keyPrefix, proof.dispatcher),
            ...keysOf(run),
            ...countKeys(keyPrefix, installationOf(run), marker.namespace, counts),
          ],
          args: [proof.epoch, proof.holder, expectedLength, run, JSON.stringify(marker), ...countOutcomes(counts), ...entries],
        },
      ])
      return answerOf(reply)
    },

    async deleteRun(run, expectedLength, { dispatcher, epoch, holder }) {
      const keys = [dispatcherKey(keyPrefix, dispatcher), ...keysOf(run)]
      const [reply] = await callScript(redis, deleteScript, [{ keys, args: [epoch, holder, expectedLength, run] }])
      return answerOf(reply)
    },
  }
}

function answerOf(reply: unknown): RunAnswer {
  const [outcome, brokerTimeMs, length] = reply as readonly [RunAnswer['outcome'], number, number]
  return { outcome, brokerTimeMs, length }
}
