// kioskd.js as an ES module: import {connect} from "./kioskd.mjs", with kioskd.js beside it.
import "./kioskd.js"

export const {connect} = globalThis.kioskd
