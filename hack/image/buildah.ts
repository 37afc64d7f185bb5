/** Images by buildah: no daemon, a storage of its own in the cache folder. */
import { createHash } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { cacheFolder } from '../cluster/cache.ts'
import { run, tryRun } from '../cluster/command.ts'
import { argumentFlags } from './tool.ts'
import type { Image, ImageTool } from './tool.ts'

export function buildahTool(env: NodeJS.ProcessEnv = process.env): ImageTool {
  const folder = join(cacheFolder(env), 'buildah')
  const policy = join(folder, 'policy.json')
  // Of the kind that a reboot empties, and one for each storage.
  const runFolder = join(
    env['XDG_RUNTIME_DIR'] ?? '/run',
    `taskmill-buildah-${createHash('sha256').update(folder).digest('hex').slice(0, 8)}`,
  )
  const storage = ['--root', join(folder, 'storage'), '--runroot', runFolder, '--storage-driver', 'overlay']
  const signature = ['--signature-policy', policy]
  const buildah = (...args: string[]): Promise<string> => run('buildah', [...storage, ...args])

  /** The storage may have been removed while the archives stayed. */
  async function provide({ name, reference, archive }: Image): Promise<void> {
    const known = await tryRun('buildah', [...storage, 'inspect', '--type', 'image', reference])
    if (known.code === 0) return
    await buildah('pull', ...signature, `docker-archive:${archive}:${name}`)
    await buildah('tag', name, reference)
  }

  return {
    kind: 'buildah',
    build: async (build) => {
      await mkdir(folder, { recursive: true })
      // Debian's own policy file comes with a package that is only recommended.
      await writeFile(policy, JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }] }))
      for (const base of build.bases) await provide(base)
      // Chroot isolation needs neither control groups nor a network of its own.
      const flags = ['--isolation', 'chroot', '--network', 'host', '--layers', '--pull-never', ...signature]
      const file = join(build.context, build.dockerfile)
      const args = ['bud', ...flags, '--tag', build.reference, '--file', file, ...argumentFlags(build), build.context]
      await run('buildah', [...storage, ...args], { onLine: build.onLine })
      await buildah('tag', build.reference, build.name)
      await buildah('push', ...signature, build.reference, `docker-archive:${build.archive}:${build.name}`)
    },
    forget: async (reference) => {
      await tryRun('buildah', [...storage, 'rmi', reference])
    },
  }
}
