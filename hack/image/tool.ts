/** What builds images: Docker where its daemon answers, buildah otherwise. The same Dockerfiles serve both. */

export type Image = {
  readonly name: string
  /** The tool's own name for exactly this build, for FROM: `name` moves on with the next one. */
  readonly reference: string
  /** What `loadImage` of a cluster takes. */
  readonly archive: string
}

export type ImageBuild = Image & {
  readonly context: string
  /** Relative to the context. */
  readonly dockerfile: string
  /** Images made here that its FROM lines name by reference. */
  readonly bases: readonly Image[]
  readonly buildArguments: Readonly<Record<string, string>>
  readonly onLine: (line: string) => void
}

export type ImageTool = {
  readonly kind: 'docker' | 'buildah'
  /** Builds, keeps the result as `name` and `reference`, and writes the archive with `name` in it. */
  build(build: ImageBuild): Promise<void>
  /** Lets an old build go; fine when it is not there. */
  forget(reference: string): Promise<void>
}

export function argumentFlags(build: ImageBuild): string[] {
  return Object.entries(build.buildArguments).flatMap(([name, value]) => ['--build-arg', `${name}=${value}`])
}
