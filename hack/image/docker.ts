/** Images by Docker. */
import { join } from 'node:path'
import { run, tryRun } from '../cluster/command.ts'
import { argumentFlags } from './tool.ts'
import type { Image, ImageTool } from './tool.ts'

export function dockerTool(): ImageTool {
  return {
    kind: 'docker',
    build: async (build) => {
      for (const base of build.bases) await provide(base)
      const tags = ['--tag', build.name, '--tag', build.reference]
      const file = join(build.context, build.dockerfile)
      await run('docker', ['build', ...tags, '--file', file, ...argumentFlags(build), build.context], { onLine: build.onLine })
      await run('docker', ['save', '--output', build.archive, build.name])
    },
    forget: async (reference) => {
      await tryRun('docker', ['rmi', reference])
    },
  }
}

/** Docker may have removed an image whose archive is still in the cache. */
async function provide({ name, reference, archive }: Image): Promise<void> {
  if ((await tryRun('docker', ['image', 'inspect', reference])).code === 0) return
  await run('docker', ['load', '--input', archive])
  await run('docker', ['tag', name, reference])
}
