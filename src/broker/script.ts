import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Redis } from 'ioredis'

/** A Lua script that lies beside this file, in the sources as in the build. */
export type Script = { readonly source: string; readonly sha: string }

export type ScriptCall = { readonly keys: readonly string[]; readonly args: readonly (string | number)[] }

/** Loads `<name>.lua`, with the functions of other files put in front of it. */
export function loadScript(name: string, ...parts: readonly string[]): Script {
  const source = [...parts, name].map((part) => readFileSync(new URL(`./${part}.lua`, import.meta.url), 'utf8')).join('\n')
  return { source, sha: createHash('sha1').update(source).digest('hex') }
}

/**
 * Calls the script once for each element, all in one round trip. A server that does not know the script yet (it was restarted, or
 * flushed) is sent the source in a second one. Rejects with the first error.
 */
export async function callScript(redis: Redis, script: Script, calls: readonly ScriptCall[]): Promise<unknown[]> {
  const send = (call: ScriptCall, isKnown: boolean): Promise<unknown> =>
    isKnown
      ? redis.evalsha(script.sha, call.keys.length, ...call.keys, ...call.args)
      : redis.eval(script.source, call.keys.length, ...call.keys, ...call.args)
  return await Promise.all(
    calls.map(async (call) => {
      try {
        return await send(call, true)
      } catch (error) {
        if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
        return await send(call, false)
      }
    }),
  )
}
