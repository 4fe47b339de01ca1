"""Names of the invented shop: IPs, characters, design elements, product types. Nothing here exists."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "CHARACTERS",
    "COLLARS",
    "COLOURS",
    "EXTENDED_SIZES",
    "FABRICS",
    "IPS",
    "MOTIFS",
    "PRODUCT_TYPES",
    "SIZES",
    "SIZE_SHARES",
    "SLEEVES",
    "UNSOLD_IPS",
    "ProductType",
]

IPS: tuple[tuple[str, str], ...] = (
    ("star_isle", "星屿学院"),
    ("night_line", "夜行末班车"),
    ("azure_oath", "苍蓝誓约"),
    ("sakura_cafe", "樱坂咖啡屋"),
    ("iron_border", "铁域边境"),
    ("moon_troupe", "月下剧团"),
    ("fox_inn", "狐火客栈"),
    ("glass_sea", "琉璃海"),
    ("clock_garden", "钟塔花园"),
    ("rain_city", "雨都侦探社"),
    ("dragon_tea", "龙井少年"),
    ("neon_choir", "霓虹合唱团"),
    ("snow_lantern", "雪灯物语"),
    ("paper_knight", "纸骑士"),
    ("tide_band", "潮汐乐队"),
    ("bamboo_blade", "竹刃"),
    ("cloud_post", "云上邮局"),
    ("red_thread", "红线事务所"),
    ("orbit_club", "轨道天文部"),
    ("salt_witch", "盐之魔女"),
    ("maple_track", "枫叶田径队"),
    ("cat_arcade", "猫街机厅"),
    ("ember_crown", "余烬王冠"),
    ("lotus_mecha", "莲机"),
    ("silver_ferry", "银渡"),
    ("peach_academy", "桃夭书院"),
    ("owl_library", "枭之图书馆"),
    ("storm_piano", "暴风钢琴"),
    ("velvet_zoo", "天鹅绒动物园"),
    ("dawn_courier", "黎明信使"),
    ("pixel_shrine", "像素神社"),
    ("amber_ship", "琥珀船"),
)
"""(element, name shown) of each IP."""

UNSOLD_IPS: tuple[tuple[str, str], ...] = (("mirror_whale", "镜鲸"), ("ninth_bell", "第九钟"))
"""IPs that nobody sells yet and that rise: unknown elements for the trend room."""

CHARACTERS: tuple[tuple[str, str], ...] = (
    ("lin", "林"),
    ("yuki", "雪"),
    ("aoi", "葵"),
    ("ren", "莲"),
    ("mo", "墨"),
    ("hana", "花"),
    ("kai", "海"),
    ("su", "苏"),
)
"""(suffix, name shown) of the characters of an IP, most popular first."""

COLOURS: tuple[tuple[str, str], ...] = (
    ("black", "黑"),
    ("white", "白"),
    ("navy", "藏青"),
    ("crimson", "绯红"),
    ("pink", "粉"),
    ("lavender", "薰衣草紫"),
    ("sky", "天蓝"),
    ("mint", "薄荷绿"),
    ("gold", "金"),
    ("silver", "银"),
)
COLLARS: tuple[str, ...] = ("sailor", "stand", "hooded", "peter_pan", "lapel", "v_neck")
SLEEVES: tuple[str, ...] = ("long", "short", "puff", "cape")
FABRICS: tuple[str, ...] = ("polyester", "cotton", "satin", "wool_blend", "velvet", "denim")
MOTIFS: tuple[str, ...] = ("star", "moon", "cat", "sakura", "flame", "wing", "ribbon", "rose")

SIZES: tuple[str, ...] = ("S", "M", "L", "XL", "2XL", "3XL", "4XL")
EXTENDED_SIZES: tuple[str, ...] = ("2XL", "3XL", "4XL")
SIZE_SHARES: tuple[float, ...] = (0.14, 0.25, 0.23, 0.16, 0.11, 0.07, 0.04)
"""Share of a style's demand by size (0-1), in the order of ``SIZES``."""


@dataclass(frozen=True)
class ProductType:
    """One product type: what it costs, who makes it, how it sells and comes back.

    ``price`` is the usual list price [CNY], ``cost_share`` the unit cost in it (0-1), ``volume`` the relative demand
    of one style, ``elasticity`` the mean own-price elasticity, ``return_rate`` the share of units that come back
    (0-1), ``temperature`` the log change of demand per degree above 15 degC, ``single`` the chance that a unit is
    bought alone (0-1).
    """

    name: str
    title: str
    code: str
    category: str
    share: float
    price: float
    cost_share: float
    supplier: str
    pack: int
    moq: int
    volume: float
    elasticity: float
    return_rate: float
    temperature: float
    single: float


PRODUCT_TYPES: tuple[ProductType, ...] = (
    ProductType(
        "tin_badge", "马口铁徽章", "BDG", "badge", 0.22, 15, 0.30, "SUP-BADGE", 20, 60, 3.0, -1.5, 0.015, 0.0, 0.70
    ),
    ProductType(
        "enamel_badge", "珐琅徽章", "ENB", "badge", 0.10, 35, 0.36, "SUP-BADGE", 10, 40, 1.6, -1.7, 0.015, 0.0, 0.82
    ),
    ProductType("photo_card", "小卡", "CRD", "card", 0.22, 9, 0.22, "SUP-PRINT", 50, 100, 4.0, -1.3, 0.01, 0.0, 0.55),
    ProductType("polaroid", "拍立得", "POL", "card", 0.14, 12, 0.25, "SUP-PRINT", 20, 80, 2.4, -1.4, 0.01, 0.0, 0.62),
    ProductType(
        "acrylic_stand",
        "亚克力立牌",
        "ACS",
        "acrylic",
        0.18,
        58,
        0.38,
        "SUP-ACRYL",
        10,
        30,
        1.8,
        -1.9,
        0.025,
        0.0,
        0.90,
    ),
    ProductType(
        "prize_figure", "景品手办", "PFG", "figure", 0.09, 128, 0.52, "SUP-FIGURE", 4, 12, 0.9, -2.2, 0.03, 0.0, 0.97
    ),
    ProductType(
        "scale_figure", "比例手办", "SFG", "figure", 0.05, 599, 0.58, "SUP-FIGURE", 1, 4, 0.28, -1.6, 0.03, 0.0, 0.99
    ),
    ProductType(
        "uniform_costume",
        "制服 cos 服",
        "COS",
        "costume",
        0.55,
        268,
        0.44,
        "SUP-COSA",
        2,
        8,
        2.6,
        -2.4,
        0.33,
        0.0,
        0.98,
    ),
    ProductType(
        "dress_costume", "礼服 cos 服", "DRS", "costume", 0.45, 359, 0.46, "SUP-COSB", 2, 8, 2.0, -2.2, 0.38, 0.0, 0.99
    ),
    ProductType("t_shirt", "T 恤", "TEE", "clothing", 0.40, 99, 0.35, "SUP-CLOTH", 5, 20, 3.0, -2.0, 0.20, 0.035, 0.92),
    ProductType(
        "hoodie", "连帽卫衣", "HDY", "clothing", 0.35, 219, 0.40, "SUP-CLOTH", 3, 12, 2.2, -2.1, 0.24, -0.045, 0.97
    ),
    ProductType(
        "down_jacket", "羽绒服", "DWN", "clothing", 0.25, 599, 0.48, "SUP-DOWN", 1, 6, 1.1, -1.8, 0.27, -0.095, 0.99
    ),
)
"""Product types; ``share`` is within goods, costumes and clothing each."""
