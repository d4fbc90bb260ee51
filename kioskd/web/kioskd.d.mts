/// <reference path="./kioskd.d.ts" />
export const connect: Kioskd["connect"]
